/* The leaves of src/enclave/leaf.h outside of an image: carried out by a machine of the test's choice for an
 * enclave of the test's choice. */
#ifndef CELLA_TEST_LEAF_MACHINE_H
#define CELLA_TEST_LEAF_MACHINE_H

#include "machine/machine.h"

/* Who asks from now on; both outlive the use. NULL: a machine without counters. */
void leaf_machine_use(struct cella_machine *machine, const struct cella_machine_identity *identity);

#endif
