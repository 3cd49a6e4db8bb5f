/* Stands in for a release of a system library that does not exist yet. */
int future(void) { return 3; }
