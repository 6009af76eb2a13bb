"""The example project: flight disruption alerts. Replace it with yours."""
