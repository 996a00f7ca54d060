"""Benchmarks: minidl and its peers, measured side by side."""
