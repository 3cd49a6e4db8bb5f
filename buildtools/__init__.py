"""Native database drivers for Python that load where you deploy."""

__version__ = "0.1.0"
