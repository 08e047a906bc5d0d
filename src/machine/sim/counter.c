/* Monotonic counters of the simulated machine: what makes a slot of the file genuine, and the three
 * operations. Must not give a value that is not durable, or one of another CPU, enclave or place. */
#include "base/error.h"
#include "base/secret.h"
#include "base/writer.h"
#include "machine/sim/counter_file.h"
#include "machine/sim/derive.h"
#include "machine/sim/sim.h"
#include <string.h>

#define OWNER_COUNTERS 4096

/* Who a counter is: names depend on the fuse secret, so another CPU in the same folder finds none of them. */
struct name {
    uint8_t id[CELLA_SIM_ID_SIZE];
    uint8_t owner[CELLA_SIM_OWNER_SIZE];
};

static enum cella_status find_name(const struct cella_sim *sim, const struct cella_machine_identity *identity,
                                   const uint8_t *counter, struct name *ret_name) {
    uint8_t context[CELLA_SIM_OWNER_SIZE + CELLA_SIM_ID_SIZE];
    struct cella_writer writer;
    cella_writer_init(&writer, context, sizeof context);
    cella_write_bytes(&writer, identity->code_signer, sizeof identity->code_signer);
    cella_write_u16(&writer, identity->isv_prod_id);
    cella_write_u8(&writer, (identity->flags & CELLA_ATTRIBUTE_DEBUG) != 0);
    enum cella_status status =
        cella_sim_derive(sim->state.fuse_secret, "counter owner", cella_writer_bytes(&writer),
                         ret_name->owner, sizeof ret_name->owner);
    cella_writer_init(&writer, context, sizeof context);
    cella_write_bytes(&writer, ret_name->owner, sizeof ret_name->owner);
    cella_write_bytes(&writer, counter, CELLA_COUNTER_NAME_SIZE);
    CELLA_ASSERT(!writer.failed);
    if (status == CELLA_OK)
        status = cella_sim_derive(sim->state.fuse_secret, "counter", cella_writer_bytes(&writer),
                                  ret_name->id, sizeof ret_name->id);
    return status;
}

/* Binds a value to its counter, its place and its CPU, so that a slot that was changed or moved is seen. */
static enum cella_status prove(const struct cella_sim *sim, const struct name *name, uint32_t index,
                               uint64_t value, struct cella_sim_entry *ret_entry) {
    uint8_t context[CELLA_SIM_ID_SIZE + CELLA_SIM_OWNER_SIZE + 4 + 8];
    struct cella_writer writer;
    cella_writer_init(&writer, context, sizeof context);
    cella_write_bytes(&writer, name->id, sizeof name->id);
    cella_write_bytes(&writer, name->owner, sizeof name->owner);
    cella_write_u32(&writer, index);
    cella_write_u64(&writer, value);
    ret_entry->value = value;
    return cella_sim_derive(sim->state.fuse_secret, "counter check", cella_writer_bytes(&writer),
                            ret_entry->check, sizeof ret_entry->check);
}

static bool entry_is(const struct cella_sim_slot *slot, const struct cella_sim_entry *expected) {
    const struct cella_sim_entry *entry = &slot->entries[expected->value & 1];
    return entry->value == expected->value &&
           cella_equal_secret(entry->check, expected->check, sizeof expected->check);
}

/* A counter that is there, under the lock. */
struct counter {
    struct cella_sim_counters file;
    struct name name;
    uint32_t index;
    uint64_t value;
};

/* The value that the slot proves. Whoever wrote the next entry and was stopped before it was visible told
 * nobody of it; it is finished here, as it may be durable already. */
static enum cella_status judge(const struct cella_sim *sim, const struct cella_sim_slot *slot,
                               struct counter *counter, struct cella_error *error) {
    struct cella_sim_entry now, next;
    counter->value = slot->value;
    enum cella_status status = prove(sim, &counter->name, counter->index, slot->value, &now);
    if (status == CELLA_OK)
        status = prove(sim, &counter->name, counter->index, slot->value + 1, &next);
    if (status != CELLA_OK)
        return status;
    if (!entry_is(slot, &now) || memcmp(slot->owner, counter->name.owner, sizeof slot->owner) != 0)
        return cella_fail(error, CELLA_MACHINE_DAMAGED, "slot %u of %s was changed", counter->index,
                          counter->file.path);
    if (!entry_is(slot, &next))
        return CELLA_OK;
    status = cella_sim_counters_advance(&counter->file, counter->index, &next, error);
    counter->value += status == CELLA_OK;
    return status;
}

/* On success the caller unlocks. */
static enum cella_status open_counter(const struct cella_sim *sim,
                                      const struct cella_machine_identity *identity, const uint8_t *name,
                                      struct counter *ret_counter, struct cella_error *error) {
    struct cella_sim_find find;
    struct cella_sim_slot slot;
    enum cella_status status = find_name(sim, identity, name, &ret_counter->name);
    if (status == CELLA_OK)
        status = cella_sim_counters_lock(sim->folder, &ret_counter->file, error);
    if (status != CELLA_OK)
        return status;
    status = cella_sim_counters_find(&ret_counter->file, ret_counter->name.id, NULL, &find, &slot, error);
    if (status == CELLA_OK && find.index == 0)
        status = cella_fail(error, CELLA_NO_COUNTER, "the machine has no such counter for this enclave");
    ret_counter->index = find.index;
    if (status == CELLA_OK)
        status = judge(sim, &slot, ret_counter, error);
    if (status != CELLA_OK)
        cella_sim_counters_unlock(&ret_counter->file);
    return status;
}

static enum cella_status create(const struct cella_sim *sim, struct counter *counter,
                                struct cella_error *error) {
    struct cella_sim_find find;
    struct cella_sim_slot slot;
    enum cella_status status =
        cella_sim_counters_find(&counter->file, counter->name.id, counter->name.owner, &find, &slot, error);
    if (status != CELLA_OK)
        return status;
    if (find.index != 0)
        return cella_fail(error, CELLA_EXISTS, "the enclave has this counter already");
    if (find.owned >= OWNER_COUNTERS)
        return cella_fail(error, CELLA_LIMIT, "a product has at most %d counters on a machine",
                          OWNER_COUNTERS);
    if (find.free == 0)
        return cella_fail(error, CELLA_LIMIT, "the machine has %u counters and no room for more", find.used);
    slot = (struct cella_sim_slot){.value = 0};
    memcpy(slot.id, counter->name.id, sizeof slot.id);
    memcpy(slot.owner, counter->name.owner, sizeof slot.owner);
    status = prove(sim, &counter->name, find.free, 0, &slot.entries[0]);
    if (status == CELLA_OK)
        status = cella_sim_counters_add(&counter->file, find.free, &slot, error);
    return status;
}

enum cella_status cella_sim_counter_create(struct cella_machine *machine,
                                           const struct cella_machine_identity *identity, const uint8_t *name,
                                           struct cella_error *error) {
    const struct cella_sim *sim = (const struct cella_sim *)machine;
    struct counter counter = {.file.fd = -1};
    enum cella_status status = find_name(sim, identity, name, &counter.name);
    if (status == CELLA_OK)
        status = cella_sim_counters_lock(sim->folder, &counter.file, error);
    if (status != CELLA_OK)
        return status;
    status = create(sim, &counter, error);
    cella_sim_counters_unlock(&counter.file);
    return status;
}

enum cella_status cella_sim_counter_read(struct cella_machine *machine,
                                         const struct cella_machine_identity *identity, const uint8_t *name,
                                         uint64_t *ret_value, uint64_t *ret_offset,
                                         struct cella_error *error) {
    const struct cella_sim *sim = (const struct cella_sim *)machine;
    struct counter counter = {.file.fd = -1};
    enum cella_status status = open_counter(sim, identity, name, &counter, error);
    if (status != CELLA_OK)
        return status;
    *ret_value = counter.value;
    *ret_offset = (uint64_t)counter.index * CELLA_SIM_SLOT_SIZE + CELLA_SIM_SLOT_VALUE;
    cella_sim_counters_unlock(&counter.file);
    return CELLA_OK;
}

enum cella_status cella_sim_counter_increment(struct cella_machine *machine,
                                              const struct cella_machine_identity *identity,
                                              const uint8_t *name, uint64_t value,
                                              struct cella_error *error) {
    const struct cella_sim *sim = (const struct cella_sim *)machine;
    struct counter counter = {.file.fd = -1};
    struct cella_sim_entry next;
    enum cella_status status = open_counter(sim, identity, name, &counter, error);
    if (status != CELLA_OK)
        return status;
    if (counter.value != value)
        status = cella_fail(error, CELLA_COUNTER_MOVED, "the counter is at %llu, not at %llu",
                            (unsigned long long)counter.value, (unsigned long long)value);
    else if (counter.value >= CELLA_SIM_VALUE_GONE - 1)
        status = cella_fail(error, CELLA_LIMIT, "the counter is at the end of its range");
    if (status == CELLA_OK)
        status = prove(sim, &counter.name, counter.index, counter.value + 1, &next);
    if (status == CELLA_OK)
        status = cella_sim_counters_advance(&counter.file, counter.index, &next, error);
    cella_sim_counters_unlock(&counter.file);
    return status;
}
