/* Picks the kind of machine behind a path and passes calls on. Must not hold anything itself. */
#include "base/error.h"
#include "machine/machine_kind.h"
#include "machine/sim/counter_file.h"
#include "machine/sim/sim.h"
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

static bool is_device(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISCHR(info.st_mode);
}

enum cella_status cella_machine_open(const char *path, struct cella_machine **ret_machine,
                                     struct cella_error *error) {
    if (is_device(path))
        return cella_fail(error, CELLA_UNSUPPORTED,
                          "%s is a device: this release drives simulated machines only", path);
    return cella_sim_open(path, ret_machine, error);
}

void cella_machine_free(struct cella_machine *machine) {
    if (machine != NULL)
        machine->operations->free(machine);
}

const char *cella_machine_kind(const struct cella_machine *machine) {
    return machine->operations->kind;
}

bool cella_machine_is_insecure(const struct cella_machine *machine) {
    return machine->operations->is_insecure;
}

enum cella_status cella_machine_launch(struct cella_machine *machine,
                                       const struct cella_machine_launch *launch,
                                       struct cella_machine_identity *ret_identity,
                                       struct cella_error *error) {
    return machine->operations->launch(machine, launch, ret_identity, error);
}

enum cella_status cella_machine_report(struct cella_machine *machine,
                                       const struct cella_machine_identity *identity,
                                       const uint8_t target_info[CELLA_TARGET_INFO_SIZE],
                                       const uint8_t report_data[CELLA_REPORT_DATA_SIZE],
                                       uint8_t ret_report[CELLA_REPORT_SIZE], struct cella_error *error) {
    return machine->operations->report(machine, identity, target_info, report_data, ret_report, error);
}

enum cella_status cella_machine_key(struct cella_machine *machine,
                                    const struct cella_machine_identity *identity,
                                    const uint8_t key_request[CELLA_KEY_REQUEST_SIZE],
                                    uint8_t ret_key[CELLA_MACHINE_KEY_SIZE], struct cella_error *error) {
    return machine->operations->key(machine, identity, key_request, ret_key, error);
}

uint32_t cella_machine_sgx_error(enum cella_status status) {
    switch (status) {
    case CELLA_DAMAGED:
        return 1; /* SGX_INVALID_SIG_STRUCT */
    case CELLA_LAUNCH_ATTRIBUTES:
    case CELLA_KEY_ATTRIBUTE:
        return 2; /* SGX_INVALID_ATTRIBUTE */
    case CELLA_LAUNCH_MEASUREMENT:
        return 4; /* SGX_INVALID_MEASUREMENT */
    case CELLA_IMAGE_UNSIGNED:
    case CELLA_IMAGE_SIGNATURE:
        return 8; /* SGX_INVALID_SIGNATURE */
    case CELLA_KEY_CPU_SVN:
        return 32; /* SGX_INVALID_CPUSVN */
    case CELLA_KEY_ISV_SVN:
        return 64; /* SGX_INVALID_ISVSVN */
    case CELLA_KEY_NAME:
        return 256; /* SGX_INVALID_KEYNAME */
    default:
        return 0;
    }
}

void cella_machine_cpu_svn(struct cella_machine *machine, uint8_t ret_cpu_svn[CELLA_CPU_SVN_SIZE]) {
    machine->operations->cpu_svn(machine, ret_cpu_svn);
}

enum cella_status cella_machine_counter_create(struct cella_machine *machine,
                                               const struct cella_machine_identity *identity,
                                               const uint8_t name[CELLA_COUNTER_NAME_SIZE],
                                               struct cella_error *error) {
    return machine->operations->counter_create(machine, identity, name, error);
}

enum cella_status cella_machine_counter_read(struct cella_machine *machine,
                                             const struct cella_machine_identity *identity,
                                             const uint8_t name[CELLA_COUNTER_NAME_SIZE],
                                             struct cella_machine_counter *ret_counter,
                                             struct cella_error *error) {
    return machine->operations->counter_read(machine, identity, name, ret_counter, error);
}

enum cella_status cella_machine_counters_map(const char *path, struct cella_bytes *ret_memory,
                                             struct cella_error *error) {
    if (is_device(path))
        return cella_fail(error, CELLA_UNSUPPORTED, "%s is a device: its counters are not memory", path);
    return cella_sim_counters_map(path, ret_memory, error);
}

void cella_machine_counters_unmap(struct cella_bytes memory) {
    if (memory.data != NULL)
        munmap((void *)(uintptr_t)memory.data, memory.size);
}

enum cella_status cella_machine_counter_increment(struct cella_machine *machine,
                                                  const struct cella_machine_identity *identity,
                                                  const uint8_t name[CELLA_COUNTER_NAME_SIZE], uint64_t value,
                                                  const uint8_t mark[CELLA_COUNTER_MARK_SIZE],
                                                  struct cella_error *error) {
    return machine->operations->counter_increment(machine, identity, name, value, mark, error);
}

enum cella_status cella_machine_target_info(struct cella_machine *machine,
                                            uint8_t ret_target_info[CELLA_TARGET_INFO_SIZE],
                                            struct cella_error *error) {
    return machine->operations->target_info(machine, ret_target_info, error);
}

enum cella_status cella_machine_quote(struct cella_machine *machine, const uint8_t report[CELLA_REPORT_SIZE],
                                      uint8_t **ret_quote, size_t *ret_size, struct cella_error *error) {
    return machine->operations->quote(machine, report, ret_quote, ret_size, error);
}

enum cella_status cella_machine_collateral(struct cella_machine *machine, int64_t now,
                                           struct cella_machine_collateral **ret_collateral,
                                           struct cella_error *error) {
    return machine->operations->collateral(machine, now, ret_collateral, error);
}

void cella_machine_collateral_free(struct cella_machine_collateral *collateral) {
    free(collateral);
}
