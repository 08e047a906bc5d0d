/* The ENCLU leaves with operands aligned as the CPU wants them. */
#include "enclave/leaf.h"
#include "base/secret.h"
#include "enclave/thread_data.h"
#include <string.h>

static uint64_t enclu(uint64_t leaf, const void *rbx, const void *rcx, void *rdx) {
    uint64_t result;
    __asm__ volatile(".byte 0x0f, 0x01, 0xd7"
                     : "=a"(result)
                     : "0"(leaf), "b"(rbx), "c"(rcx), "d"(rdx)
                     : "memory", "cc");
    return result;
}

void cella_leaf_report(const uint8_t target_info[CELLA_TARGET_INFO_SIZE],
                       const uint8_t report_data[CELLA_REPORT_DATA_SIZE],
                       uint8_t ret_report[CELLA_REPORT_SIZE]) {
    _Alignas(512) uint8_t target[CELLA_TARGET_INFO_SIZE];
    _Alignas(512) uint8_t report[512];
    _Alignas(128) uint8_t data[128];
    memcpy(target, target_info, sizeof target);
    memcpy(data, report_data, CELLA_REPORT_DATA_SIZE);
    (void)enclu(ENCLU_EREPORT, target, data, report);
    memcpy(ret_report, report, CELLA_REPORT_SIZE);
}

uint32_t cella_leaf_key(const uint8_t key_request[CELLA_KEY_REQUEST_SIZE],
                        uint8_t ret_key[CELLA_MACHINE_KEY_SIZE]) {
    _Alignas(512) uint8_t request[CELLA_KEY_REQUEST_SIZE];
    _Alignas(16) uint8_t key[CELLA_MACHINE_KEY_SIZE] = {0};
    memcpy(request, key_request, sizeof request);
    uint32_t error = (uint32_t)enclu(ENCLU_EGETKEY, request, key, NULL);
    if (error == 0)
        memcpy(ret_key, key, sizeof key);
    cella_wipe(key, sizeof key);
    return error;
}

static enum cella_status counter(uint64_t leaf, const uint8_t *name, uint64_t *value, uint8_t *mark) {
    _Alignas(32) uint8_t copy[CELLA_COUNTER_NAME_SIZE];
    memcpy(copy, name, sizeof copy);
    return (enum cella_status)enclu(leaf, copy, value, mark);
}

enum cella_status cella_leaf_counter_create(const uint8_t name[CELLA_COUNTER_NAME_SIZE]) {
    uint64_t unused = 0;
    return counter(ENCLU_COUNTER_CREATE, name, &unused, NULL);
}

enum cella_status cella_leaf_counter_read(const uint8_t name[CELLA_COUNTER_NAME_SIZE], uint64_t *ret_value,
                                          uint8_t *ret_mark) {
    _Alignas(32) uint8_t mark[CELLA_COUNTER_MARK_SIZE];
    uint64_t value = 0;
    enum cella_status status = counter(ENCLU_COUNTER_READ, name, &value, ret_mark == NULL ? NULL : mark);
    if (status != CELLA_OK)
        return status;
    *ret_value = value;
    if (ret_mark != NULL)
        memcpy(ret_mark, mark, sizeof mark);
    return CELLA_OK;
}

enum cella_status cella_leaf_counter_increment(const uint8_t name[CELLA_COUNTER_NAME_SIZE], uint64_t value,
                                               const uint8_t mark[CELLA_COUNTER_MARK_SIZE]) {
    _Alignas(32) uint8_t copy[CELLA_COUNTER_MARK_SIZE];
    memcpy(copy, mark, sizeof copy);
    return counter(ENCLU_COUNTER_INCREMENT, name, &value, copy);
}
