"""The tables that operations write to: the shipped entities and an application's own."""
