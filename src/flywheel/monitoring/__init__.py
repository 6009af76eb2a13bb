"""How the champion, the service and the world are doing, and whether that calls for a retrain."""
