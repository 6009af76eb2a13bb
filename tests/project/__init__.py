"""The engine's own small project, on which its tests run: parcels that may be late. See `parcels.yaml` beside this file."""
