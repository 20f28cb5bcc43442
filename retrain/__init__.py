"""Trains detectors: material, dataset, training, export, card. The only program that needs PyTorch."""
