/* Memory of the test helpers; lives until the program ends. */
#ifndef CELLA_TEST_MEMORY_H
#define CELLA_TEST_MEMORY_H

#include <stddef.h>

/* Never NULL for a size above 0: ends the program instead. Exactly sized. */
void *test_allocate(size_t size);

#endif
