/* Machines and launched enclaves for tests. */
#include "fixture.h"
#include "base/writer.h"
#include "crypto/rsa.h"
#include "image/sigstruct.h"
#include <stdlib.h>
#include <string.h>

const char *fixture_create(const struct test_folder *folder, const char *name) {
    const char *path = test_path(folder, name);
    const struct cella_sim_create_options options = {.folder = path,
                                                     .platform_version = CELLA_SIM_VERSION_NEW};
    struct cella_error error = {0};
    assert_status(cella_sim_create(&options, &error), CELLA_OK);
    return path;
}

struct cella_machine *fixture_open(const char *path) {
    struct cella_machine *machine = NULL;
    struct cella_error error = {0};
    assert_status(cella_machine_open(path, &machine, &error), CELLA_OK);
    return machine;
}

void fixture_set_version(const char *path, unsigned version) {
    const struct cella_sim_change change = {.platform_version = &version};
    assert_status(cella_sim_change(path, &change, NULL), CELLA_OK);
}

static const struct cella_rsa *signer_key(int signer) {
    static struct cella_rsa *keys[2];
    if (keys[signer] == NULL)
        assert_status(cella_rsa_generate(&keys[signer]), CELLA_OK);
    return keys[signer];
}

struct cella_machine_launch fixture_launch(const struct fixture_image *image) {
    uint64_t flags = CELLA_ATTRIBUTE_MODE64BIT | image->extra_flags;
    struct cella_sigstruct signature = {.date = 0x20260615,
                                        .misc_mask = UINT32_MAX,
                                        .attributes = {flags, CELLA_XFRM_LEGACY},
                                        .attribute_mask = {UINT64_MAX, ~(uint64_t)CELLA_XFRM_FREE},
                                        .isv_prod_id = image->isv_prod_id,
                                        .isv_svn = image->isv_svn};
    struct cella_machine_launch launch = {.flags = flags, .xfrm = CELLA_XFRM_LEGACY};
    uint8_t *bytes = malloc(CELLA_SIGSTRUCT_SIZE);
    assert_non_null(bytes);
    launch.code_hash[0] = image->code;
    signature.enclave_hash[0] = image->code;
    assert_status(cella_sigstruct_sign(&signature, signer_key(image->signer), NULL), CELLA_OK);
    cella_sigstruct_write(&signature, bytes);
    launch.sigstruct = test_copy(CELLA_BYTES(bytes, CELLA_SIGSTRUCT_SIZE)).data;
    free(bytes);
    return launch;
}

struct cella_machine_identity fixture_identity(struct cella_machine *machine,
                                               const struct fixture_image *image) {
    struct cella_machine_identity identity;
    struct cella_error error = {0};
    const struct cella_machine_launch launch = fixture_launch(image);
    assert_status(cella_machine_launch(machine, &launch, &identity, &error), CELLA_OK);
    return identity;
}

void fixture_key_request(const struct fixture_request *from, uint8_t out[CELLA_KEY_REQUEST_SIZE]) {
    static const uint8_t zeros[CELLA_CPU_SVN_SIZE];
    struct cella_writer writer;
    cella_writer_init(&writer, out, CELLA_KEY_REQUEST_SIZE);
    cella_write_u16(&writer, from->key_name);
    cella_write_u16(&writer, from->key_policy);
    cella_write_u16(&writer, from->isv_svn);
    cella_write_u16(&writer, 0);
    cella_write_bytes(&writer, from->cpu_svn != NULL ? from->cpu_svn : zeros, CELLA_CPU_SVN_SIZE);
    cella_write_u64(&writer, from->flags_mask);
    cella_write_u64(&writer, from->xfrm_mask);
    cella_write_u8(&writer, from->key_id);
    cella_write_zeros(&writer, 31);
    cella_write_u32(&writer, from->misc_mask);
    cella_write_u16(&writer, 0);
    cella_write_zeros(&writer, 434);
    assert_false(writer.failed);
    assert_int_equal(writer.size, CELLA_KEY_REQUEST_SIZE);
}
