/* What the tests of the machine share: machines in temporary folders, and enclaves launched on them. */
#ifndef CELLA_TEST_MACHINE_FIXTURE_H
#define CELLA_TEST_MACHINE_FIXTURE_H

#include "support/test.h"
#include "machine/machine.h"
#include "machine/sim/manage.h"

/* The time of the tests: 2026-06-15T12:34:56Z. */
#define TEST_NOW INT64_C(1781526896)

/* Makes a machine of the public vendor in FOLDER/NAME and returns its path. */
const char *fixture_create(const struct test_folder *folder, const char *name);
struct cella_machine *fixture_open(const char *path);
/* Changes the platform version of the machine at `path`. */
void fixture_set_version(const char *path, unsigned version);

enum { SIGNER_ONE, SIGNER_TWO };

/* An image to launch: which of two signers, what is in SIGSTRUCT. */
struct fixture_image {
    int signer;
    uint8_t code; /* first byte of the code hash */
    uint16_t isv_prod_id;
    uint16_t isv_svn;
    uint64_t extra_flags; /* besides MODE64BIT */
};

/* A signed SIGSTRUCT for it, and what a loader would ask. The sigstruct lives until the program ends. */
struct cella_machine_launch fixture_launch(const struct fixture_image *image);
/* Launches it and expects success. */
struct cella_machine_identity fixture_identity(struct cella_machine *machine,
                                               const struct fixture_image *image);

/* The fields of a KEYREQUEST that the tests vary. */
struct fixture_request {
    uint16_t key_name;
    uint16_t key_policy;
    uint16_t isv_svn;
    const uint8_t *cpu_svn; /* NULL: zeros */
    uint64_t flags_mask, xfrm_mask;
    uint8_t key_id; /* first byte */
    uint32_t misc_mask;
};
void fixture_key_request(const struct fixture_request *from, uint8_t out[CELLA_KEY_REQUEST_SIZE]);

#endif
