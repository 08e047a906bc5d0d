/* Leaves that a machine carries out directly. */
#include "leaf_machine.h"
#include "enclave/leaf.h"
#include "support/test.h"
#include <string.h>

static struct cella_machine *machine;
static const struct cella_machine_identity *identity;

void leaf_machine_use(struct cella_machine *new_machine, const struct cella_machine_identity *new_identity) {
    machine = new_machine;
    identity = new_identity;
}

void cella_leaf_report(const uint8_t target_info[CELLA_TARGET_INFO_SIZE],
                       const uint8_t report_data[CELLA_REPORT_DATA_SIZE],
                       uint8_t ret_report[CELLA_REPORT_SIZE]) {
    assert_status(cella_machine_report(machine, identity, target_info, report_data, ret_report, NULL),
                  CELLA_OK);
}

uint32_t cella_leaf_key(const uint8_t key_request[CELLA_KEY_REQUEST_SIZE],
                        uint8_t ret_key[CELLA_MACHINE_KEY_SIZE]) {
    enum cella_status status = cella_machine_key(machine, identity, key_request, ret_key, NULL);
    /* What has no code is #GP: the program would have crashed. */
    assert_true(status == CELLA_OK || cella_machine_sgx_error(status) != 0);
    return cella_machine_sgx_error(status);
}

enum cella_status cella_leaf_counter_create(const uint8_t name[CELLA_COUNTER_NAME_SIZE]) {
    return machine == NULL ? CELLA_UNSUPPORTED : cella_machine_counter_create(machine, identity, name, NULL);
}

enum cella_status cella_leaf_counter_read(const uint8_t name[CELLA_COUNTER_NAME_SIZE], uint64_t *ret_value,
                                          uint8_t *ret_mark) {
    struct cella_machine_counter counter;
    if (machine == NULL)
        return CELLA_UNSUPPORTED;
    enum cella_status status = cella_machine_counter_read(machine, identity, name, &counter, NULL);
    if (status != CELLA_OK)
        return status;
    *ret_value = counter.value;
    if (ret_mark != NULL)
        memcpy(ret_mark, counter.mark, sizeof counter.mark);
    return CELLA_OK;
}

enum cella_status cella_leaf_counter_increment(const uint8_t name[CELLA_COUNTER_NAME_SIZE], uint64_t value,
                                               const uint8_t mark[CELLA_COUNTER_MARK_SIZE]) {
    return machine == NULL ? CELLA_UNSUPPORTED
                           : cella_machine_counter_increment(machine, identity, name, value, mark, NULL);
}
