/* A library in two releases: NEW has one function, and one symbol version, more. */
int sample_old(void) { return 1; }
#ifdef NEW
int sample_new(void) { return 2; }
#endif
