/* What memory holds before somebody writes to it: here a byte of the test's choice, where otherwise it would
 * be whatever was there before. Memory from malloc(), and what is freed, by the linker's --wrap; the stack by
 * poison_stack(), just before a call. */
#ifndef TESTS_PROPERTIES_POISON_H
#define TESTS_PROPERTIES_POISON_H

extern unsigned char poison;

void poison_stack(void);

#endif
