/* A machine for tests of vaults. */
#include "support/vault_machine.h"
#include "base/error.h"
#include "crypto/hash.h"
#include <string.h>

/* Version, number, signer. */
enum { INFO_SIZE = 13, INFO_SIGNER = 12 };

static void derive(const struct test_machine *machine, const uint8_t info[INFO_SIZE],
                   uint8_t ret_key[CELLA_ROOT_KEY_SIZE]) {
    uint8_t input[1 + INFO_SIZE] = {machine->fuse};
    memcpy(input + 1, info, INFO_SIZE);
    cella_sha256(input, sizeof input, ret_key);
}

static enum cella_status make(void *context, struct cella_key_info *ret_info,
                              uint8_t ret_key[CELLA_ROOT_KEY_SIZE], struct cella_error *error) {
    struct test_machine *machine = context;
    uint32_t version = machine->version;
    uint64_t number = ++machine->keys_made;
    ret_info->size = INFO_SIZE;
    memcpy(ret_info->data, &version, 4);
    memcpy(ret_info->data + 4, &number, 8);
    ret_info->data[INFO_SIGNER] = machine->signer;
    derive(machine, ret_info->data, ret_key);
    return CELLA_OK;
}

static enum cella_status open_key(void *context, struct cella_bytes info,
                                  uint8_t ret_key[CELLA_ROOT_KEY_SIZE], bool *ret_outdated,
                                  struct cella_error *error) {
    struct test_machine *machine = context;
    uint32_t version;
    if (info.size != INFO_SIZE)
        return CELLA_DAMAGED;
    if (info.data[INFO_SIGNER] != machine->signer)
        return cella_fail(error, CELLA_VAULT_OTHER_SIGNER, "sealed for signer %u",
                          (unsigned)info.data[INFO_SIGNER]);
    memcpy(&version, info.data, 4);
    if (version > machine->version)
        return cella_fail(error, CELLA_KEY_CPU_SVN, "sealed by platform version %u", (unsigned)version);
    *ret_outdated = version < machine->version;
    derive(machine, info.data, ret_key);
    return CELLA_OK;
}

static struct test_register *find_register(struct test_machine *machine, const uint8_t *vault_id) {
    for (unsigned i = 0; i < machine->register_count; i++)
        if (machine->registers[i].signer == machine->signer &&
            memcmp(machine->registers[i].vault_id, vault_id, CELLA_VAULT_ID_SIZE) == 0)
            return &machine->registers[i];
    return NULL;
}

uint64_t *test_machine_register(struct test_machine *machine, const uint8_t vault_id[CELLA_VAULT_ID_SIZE]) {
    struct test_register *found = find_register(machine, vault_id);
    return found == NULL ? NULL : &found->epoch;
}

static enum cella_status create(void *context, const uint8_t vault_id[CELLA_VAULT_ID_SIZE],
                                struct cella_error *error) {
    struct test_machine *machine = context;
    if (test_machine_register(machine, vault_id) != NULL)
        return CELLA_EXISTS;
    if (machine->register_count == TEST_REGISTERS)
        return CELLA_LIMIT;
    struct test_register *made = &machine->registers[machine->register_count++];
    *made = (struct test_register){.signer = machine->signer};
    memcpy(made->vault_id, vault_id, CELLA_VAULT_ID_SIZE);
    return CELLA_OK;
}

static enum cella_status read_epoch(void *context, const uint8_t vault_id[CELLA_VAULT_ID_SIZE],
                                    uint64_t *ret_epoch, uint8_t ret_mark[CELLA_MARK_SIZE],
                                    struct cella_error *error) {
    const struct test_register *held = find_register(context, vault_id);
    if (held == NULL)
        return CELLA_NO_COUNTER;
    *ret_epoch = held->epoch;
    memcpy(ret_mark, held->marks[held->epoch % TEST_MARKS], CELLA_MARK_SIZE);
    return CELLA_OK;
}

static enum cella_status acquire(void *context, const uint8_t vault_id[CELLA_VAULT_ID_SIZE], uint64_t epoch,
                                 const uint8_t mark[CELLA_MARK_SIZE], struct cella_error *error) {
    struct test_machine *machine = context;
    struct test_register *held = find_register(machine, vault_id);
    if (held == NULL)
        return CELLA_NO_COUNTER;
    if (machine->before_acquire != NULL)
        machine->before_acquire(machine->acquire_context);
    if (machine->acquire_fails != CELLA_OK && !machine->acquire_done)
        return machine->acquire_fails;
    if (held->epoch + 1 != epoch)
        return cella_fail(error, CELLA_FENCED, "the register is elsewhere");
    held->epoch = epoch;
    memcpy(held->marks[epoch % TEST_MARKS], mark, CELLA_MARK_SIZE);
    return machine->acquire_fails;
}

static enum cella_status advance(void *context, const uint8_t vault_id[CELLA_VAULT_ID_SIZE],
                                 const struct cella_head *head, struct cella_error *error) {
    struct test_machine *machine = context;
    uint64_t *held = test_machine_register(context, vault_id);
    if (machine->advance_fails != CELLA_OK)
        return machine->advance_fails;
    return held != NULL && *held == head->epoch ? CELLA_OK : CELLA_FENCED;
}

void test_machine_init(struct test_machine *machine) {
    *machine = (struct test_machine){.fuse = 1, .signer = 1, .version = 1};
    machine->keys =
        (struct cella_key_source){.context = machine, .name = "test", .make = make, .open = open_key};
    machine->freshness = (struct cella_freshness_source){.context = machine,
                                                         .name = "test",
                                                         .create = create,
                                                         .read = read_epoch,
                                                         .acquire = acquire,
                                                         .advance = advance};
}
