/* The ENCLU leaves that an enclave asks its CPU for: its report and its keys (SDM volume 3D, EREPORT,
 * EGETKEY), and the machine's counters, which are ours. */
#ifndef CELLA_ENCLAVE_LEAF_H
#define CELLA_ENCLAVE_LEAF_H

#include "machine/machine.h"

/* A REPORT about this enclave for the enclave that `target_info` names. */
void cella_leaf_report(const uint8_t target_info[CELLA_TARGET_INFO_SIZE],
                       const uint8_t report_data[CELLA_REPORT_DATA_SIZE],
                       uint8_t ret_report[CELLA_REPORT_SIZE]);

/* A key of this enclave. Returns the SGX error code, 0 for success (SGX_INVALID_CPUSVN = 32, …); the caller
 * wipes the key. A KEYREQUEST with reserved bits set crashes the program, as on hardware (#GP). */
uint32_t cella_leaf_key(const uint8_t key_request[CELLA_KEY_REQUEST_SIZE],
                        uint8_t ret_key[CELLA_MACHINE_KEY_SIZE]);

/* The machine's counters of this enclave's signer and product: the calls of machine.h. Reading a counter's
 * value again is quick, with its mark (which may be NULL) it is not; the other two wait until the machine has
 * made the change durable. CELLA_UNSUPPORTED: this machine has no counters. */
enum cella_status cella_leaf_counter_create(const uint8_t name[CELLA_COUNTER_NAME_SIZE]);
enum cella_status cella_leaf_counter_read(const uint8_t name[CELLA_COUNTER_NAME_SIZE], uint64_t *ret_value,
                                          uint8_t *ret_mark);
enum cella_status cella_leaf_counter_increment(const uint8_t name[CELLA_COUNTER_NAME_SIZE], uint64_t value,
                                               const uint8_t mark[CELLA_COUNTER_MARK_SIZE]);

#endif
