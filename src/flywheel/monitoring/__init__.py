"""How the champion, the service and the data are doing, and whether that calls for a retrain."""
