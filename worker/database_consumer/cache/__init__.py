"""The cache beside the tables: versioned, with tombstones, in a namespace with an epoch."""
