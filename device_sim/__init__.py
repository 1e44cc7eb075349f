"""Simulated people and devices: physiology, scenarios with ground truth, publisher."""
