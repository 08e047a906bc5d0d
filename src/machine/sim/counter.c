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

_Static_assert(CELLA_SIM_MARK_SIZE == CELLA_COUNTER_MARK_SIZE, "a slot holds the machine's marks");

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

/* Binds the entry's value and mark to their counter, its place and its CPU, so that a slot that was changed
 * or moved is seen. Fills the check. */
static enum cella_status prove(const struct cella_sim *sim, const struct name *name, uint32_t index,
                               struct cella_sim_entry *entry) {
    uint8_t context[CELLA_SIM_ID_SIZE + CELLA_SIM_OWNER_SIZE + 4 + 8 + CELLA_SIM_MARK_SIZE];
    struct cella_writer writer;
    cella_writer_init(&writer, context, sizeof context);
    cella_write_bytes(&writer, name->id, sizeof name->id);
    cella_write_bytes(&writer, name->owner, sizeof name->owner);
    cella_write_u32(&writer, index);
    cella_write_u64(&writer, entry->value);
    cella_write_bytes(&writer, entry->mark, sizeof entry->mark);
    CELLA_ASSERT(!writer.failed);
    return cella_sim_derive(sim->state.fuse_secret, "counter check", cella_writer_bytes(&writer),
                            entry->check, sizeof entry->check);
}

/* Whether the slot has a genuine entry for this value. */
static enum cella_status is_proven(const struct cella_sim *sim, const struct name *name, uint32_t index,
                                   const struct cella_sim_entry *entry, uint64_t value, bool *ret_proven) {
    struct cella_sim_entry expected = *entry;
    expected.value = value;
    enum cella_status status = prove(sim, name, index, &expected);
    if (status == CELLA_OK)
        *ret_proven =
            entry->value == value && cella_equal_secret(entry->check, expected.check, sizeof expected.check);
    return status;
}

/* A counter that is there, under the lock. */
struct counter {
    struct cella_sim_counters file;
    struct name name;
    uint32_t index;
    struct cella_sim_entry entry; /* the one in force */
};

/* What the slot proves. Whoever wrote the next entry and was stopped before it was visible told
 * nobody of it; it is finished here, as it may be durable already. */
static enum cella_status judge(const struct cella_sim *sim, const struct cella_sim_slot *slot,
                               struct counter *counter, struct cella_error *error) {
    const struct cella_sim_entry *now = &slot->entries[slot->value & 1];
    const struct cella_sim_entry *next = &slot->entries[(slot->value + 1) & 1];
    bool now_proven = false, next_proven = false;
    enum cella_status status = is_proven(sim, &counter->name, counter->index, now, slot->value, &now_proven);
    if (status == CELLA_OK)
        status = is_proven(sim, &counter->name, counter->index, next, slot->value + 1, &next_proven);
    if (status != CELLA_OK)
        return status;
    if (!now_proven || memcmp(slot->owner, counter->name.owner, sizeof slot->owner) != 0)
        return cella_fail(error, CELLA_MACHINE_DAMAGED, "slot %u of %s was changed", counter->index,
                          counter->file.path);
    counter->entry = next_proven ? *next : *now;
    return next_proven ? cella_sim_counters_advance(&counter->file, counter->index, next, error) : CELLA_OK;
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
    status = prove(sim, &counter->name, find.free, &slot.entries[0]);
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
                                         struct cella_machine_counter *ret_counter,
                                         struct cella_error *error) {
    const struct cella_sim *sim = (const struct cella_sim *)machine;
    struct counter counter = {.file.fd = -1};
    enum cella_status status = open_counter(sim, identity, name, &counter, error);
    if (status != CELLA_OK)
        return status;
    ret_counter->value = counter.entry.value;
    memcpy(ret_counter->mark, counter.entry.mark, sizeof ret_counter->mark);
    ret_counter->offset = (uint64_t)counter.index * CELLA_SIM_SLOT_SIZE + CELLA_SIM_SLOT_VALUE;
    cella_sim_counters_unlock(&counter.file);
    return CELLA_OK;
}

enum cella_status cella_sim_counter_increment(struct cella_machine *machine,
                                              const struct cella_machine_identity *identity,
                                              const uint8_t *name, uint64_t value, const uint8_t *mark,
                                              struct cella_error *error) {
    const struct cella_sim *sim = (const struct cella_sim *)machine;
    struct counter counter = {.file.fd = -1};
    struct cella_sim_entry next = {.value = value + 1};
    memcpy(next.mark, mark, sizeof next.mark);
    enum cella_status status = open_counter(sim, identity, name, &counter, error);
    if (status != CELLA_OK)
        return status;
    if (counter.entry.value != value)
        status = cella_fail(error, CELLA_COUNTER_MOVED, "the counter is at %llu, not at %llu",
                            (unsigned long long)counter.entry.value, (unsigned long long)value);
    else if (value >= CELLA_SIM_VALUE_GONE - 1)
        status = cella_fail(error, CELLA_LIMIT, "the counter is at the end of its range");
    if (status == CELLA_OK)
        status = prove(sim, &counter.name, counter.index, &next);
    if (status == CELLA_OK)
        status = cella_sim_counters_advance(&counter.file, counter.index, &next, error);
    cella_sim_counters_unlock(&counter.file);
    return status;
}
