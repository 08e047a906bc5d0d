/* What a kind of machine implements; machine.c picks one by path. Each operation is the call of machine.h
 * with the same name. Must not be included outside src/machine. */
#ifndef CELLA_MACHINE_MACHINE_KIND_H
#define CELLA_MACHINE_MACHINE_KIND_H

#include "machine/machine.h"

struct cella_machine_operations {
    const char *kind;
    bool is_insecure;
    void (*free)(struct cella_machine *machine);
    enum cella_status (*launch)(struct cella_machine *machine, const struct cella_machine_launch *launch,
                                struct cella_machine_identity *ret_identity, struct cella_error *error);
    enum cella_status (*report)(struct cella_machine *machine, const struct cella_machine_identity *identity,
                                const uint8_t *target_info, const uint8_t *report_data, uint8_t *ret_report,
                                struct cella_error *error);
    enum cella_status (*key)(struct cella_machine *machine, const struct cella_machine_identity *identity,
                             const uint8_t *key_request, uint8_t *ret_key, struct cella_error *error);
    void (*cpu_svn)(struct cella_machine *machine, uint8_t *ret_cpu_svn);
    enum cella_status (*counter_create)(struct cella_machine *machine,
                                        const struct cella_machine_identity *identity, const uint8_t *name,
                                        struct cella_error *error);
    enum cella_status (*counter_read)(struct cella_machine *machine,
                                      const struct cella_machine_identity *identity, const uint8_t *name,
                                      struct cella_machine_counter *ret_counter, struct cella_error *error);
    enum cella_status (*counter_increment)(struct cella_machine *machine,
                                           const struct cella_machine_identity *identity, const uint8_t *name,
                                           uint64_t value, const uint8_t *mark, struct cella_error *error);
    enum cella_status (*target_info)(struct cella_machine *machine, uint8_t *ret_target_info,
                                     struct cella_error *error);
    enum cella_status (*quote)(struct cella_machine *machine, const uint8_t *report, uint8_t **ret_quote,
                               size_t *ret_size, struct cella_error *error);
    enum cella_status (*collateral)(struct cella_machine *machine, int64_t now,
                                    struct cella_machine_collateral **ret_collateral,
                                    struct cella_error *error);
};

/* First member of every kind's own struct. */
struct cella_machine {
    const struct cella_machine_operations *operations;
};

#endif
