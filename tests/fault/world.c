/* A small world around one vault. */
#include "world.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS_MAX = 20000, STARTS_MAX = 60, ACCOUNTS = 8, ACCOUNT_START = 1000, SNAPSHOT_AFTER = 12 << 10 };

/* One client: sends request after request, and the same again until it is answered. */
struct client {
    struct cella_vault_waiter waiter;
    struct world *world;
    unsigned number;
    uint64_t sent, acknowledged; /* requests; sent is at most one ahead */
    bool waiting;
    struct cella_signed_head answer; /* of the request that waits */
    struct cella_vault_known known;
};

struct world {
    const struct plan *plan;
    struct outcome *outcome;
    struct test_store *store;
    struct test_machine machine;
    struct cella_vault *vault;
    struct client clients[WORLD_CLIENTS];
    struct cella_vault_known witness; /* a client that has seen the first answer and nothing since */
    uint64_t random;
    uint64_t operations;
    struct operation *trace;
    size_t trace_capacity;
    unsigned failing[WORLD_FAULTS]; /* how often the fault has happened */
    bool lied, created, wrong;
    unsigned starts;
};

static uint64_t draw(struct world *world) {
    uint64_t value = (world->random += UINT64_C(0x9e3779b97f4a7c15));
    value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
    return value ^ value >> 31;
}

__attribute__((format(printf, 2, 3))) static void blame(struct world *world, const char *format, ...) {
    va_list arguments;
    if (world->wrong)
        return;
    world->wrong = true;
    world->outcome->verdict = VERDICT_WRONG;
    va_start(arguments, format);
    (void)vsnprintf(world->outcome->message, sizeof world->outcome->message, format, arguments);
    va_end(arguments);
}

static void detect(struct world *world, const char *how) {
    if (world->wrong)
        return;
    world->outcome->verdict = VERDICT_DETECTED;
    (void)snprintf(world->outcome->message, sizeof world->outcome->message, "%s", how);
}

/* --- the disk --- */

static enum test_fault decide(void *context, uint64_t number, enum test_operation operation,
                              const struct cella_store_write *write, enum cella_status *ret_status) {
    struct world *world = context;
    uint64_t at = world->operations++;
    if (at < world->trace_capacity)
        world->trace[at] =
            (struct operation){.operation = operation,
                               .kind = write == NULL ? (enum cella_store_kind)0 : write->file.kind,
                               .flags = write == NULL ? 0 : write->flags};
    for (unsigned i = 0; i < world->plan->fault_count; i++) {
        const struct fault *fault = &world->plan->faults[i];
        if (at < fault->at || world->failing[i] >= (fault->times == 0 ? 1 : fault->times))
            continue;
        world->failing[i]++;
        if (fault->kind == TEST_FAULT_LIE && write != NULL && write->flags != 0)
            world->lied = true;
        *ret_status = fault->status;
        return fault->kind;
    }
    return TEST_FAULT_NONE;
}

/* --- transactions --- */

static struct cella_bytes key_of(const char *name, unsigned number, char *buffer) {
    int size = snprintf(buffer, 32, "%s/%u", name, number);
    return CELLA_BYTES(buffer, (size_t)size);
}

static uint64_t get_number(struct world *world, enum cella_vault_space space, const char *name,
                           unsigned number) {
    char buffer[32];
    struct cella_bytes value;
    uint64_t result = 0;
    if (cella_vault_get(world->vault, space, key_of(name, number, buffer), &value) &&
        value.size >= sizeof result)
        memcpy(&result, value.data, sizeof result);
    return result;
}

/* Padded with what depends on the number, so that records have many sizes and half a change shows. */
static enum cella_status put_number(struct world *world, enum cella_vault_space space, const char *name,
                                    unsigned number, uint64_t value) {
    char buffer[32];
    uint8_t bytes[2048];
    size_t size = sizeof value + (size_t)(value * 131 % 400);
    memset(bytes, (int)value, size);
    memcpy(bytes, &value, sizeof value);
    return cella_vault_put(world->vault, space, key_of(name, number, buffer), CELLA_BYTES(bytes, size));
}

/* A transfer between two accounts, the client's counter, and the sequence by which it is known again. */
static enum cella_status handle(struct world *world, const struct client *client) {
    unsigned from = (unsigned)(draw(world) % ACCOUNTS), to = (unsigned)(draw(world) % ACCOUNTS);
    enum cella_status status = put_number(world, CELLA_SPACE_MAIL, "sequence", client->number, client->sent);
    uint64_t counter = get_number(world, CELLA_SPACE_USER, "counter", client->number);
    if (status == CELLA_OK)
        status = put_number(world, CELLA_SPACE_USER, "counter", client->number, counter + 1);
    uint64_t rich = get_number(world, CELLA_SPACE_USER, "account", from);
    if (status == CELLA_OK)
        status = put_number(world, CELLA_SPACE_USER, "account", from, rich - 1);
    uint64_t poor = get_number(world, CELLA_SPACE_USER, "account", to);
    if (status == CELLA_OK)
        status = put_number(world, CELLA_SPACE_USER, "account", to, poor + 1);
    return status;
}

/* Sometimes the handler fails in the middle, and nothing of it may stay. */
static bool handler_fails(struct world *world, const struct client *client) {
    if (draw(world) % 16 != 0)
        return false;
    (void)handle(world, client);
    (void)put_number(world, CELLA_SPACE_USER, "never", client->number, 1);
    return true;
}

static void prepare(struct cella_vault_waiter *waiter, struct cella_vault_moment *moment) {
    struct client *client = (struct client *)waiter;
    if (cella_vault_moment_head(client->world->vault, moment, &client->answer) != CELLA_OK)
        blame(client->world, "a head could not be signed");
}

static void release(struct cella_vault_waiter *waiter, enum cella_status status) {
    struct client *client = (struct client *)waiter;
    if (status == CELLA_COMMIT_PENDING)
        return;
    client->waiting = false;
    if (status != CELLA_OK) {
        blame(client->world, "an answer was released with %s", cella_status_name(status));
        return;
    }
    client->acknowledged = client->sent;
    client->known.has_head = true;
    client->known.head = client->answer;
    if (!client->world->witness.has_head)
        client->world->witness = client->known;
}

/* The same request again is answered from what is stored. */
static void send_request(struct world *world, struct client *client) {
    struct cella_vault *vault = world->vault;
    enum cella_status status = cella_vault_begin(vault, NULL);
    if (status == CELLA_STORAGE_FULL || status == CELLA_STORAGE_IO || status == CELLA_STORAGE_READ_ONLY)
        return;
    if (status != CELLA_OK) {
        blame(world, "begin: %s", cella_status_name(status));
        return;
    }
    if (client->sent == client->acknowledged)
        client->sent++;
    if (get_number(world, CELLA_SPACE_MAIL, "sequence", client->number) != client->sent) {
        if (handler_fails(world, client)) {
            cella_vault_abort(vault);
            return;
        }
        status = handle(world, client);
    }
    if (status != CELLA_OK) {
        cella_vault_abort(vault);
        blame(world, "a change was refused: %s", cella_status_name(status));
        return;
    }
    client->waiter.prepare = prepare;
    client->waiter.release = release;
    client->waiting = true;
    status = cella_vault_commit(vault, &client->waiter);
    if (status != CELLA_OK)
        blame(world, "commit: %s", cella_status_name(status));
}

/* --- the host --- */

static void on_lost(void *context, enum cella_status status, const char *message) {
    blame(context, "the vault was lost: %s: %s", cella_status_name(status), message);
}

static struct cella_vault_options options_of(struct world *world) {
    return (struct cella_vault_options){
        .store = test_store_face(world->store),
        .keys = &world->machine.keys,
        .freshness = &world->machine.freshness,
        .limits.snapshot_after = SNAPSHOT_AFTER,
        .lost = on_lost,
        .lost_context = world,
    };
}

static bool put_accounts(struct world *world) {
    if (cella_vault_begin(world->vault, NULL) != CELLA_OK)
        return false;
    for (unsigned i = 0; i < ACCOUNTS; i++)
        if (put_number(world, CELLA_SPACE_USER, "account", i, ACCOUNT_START) != CELLA_OK)
            blame(world, "the accounts could not be opened");
    return cella_vault_commit(world->vault, NULL) == CELLA_OK;
}

static void forget_answers(struct world *world) {
    for (unsigned i = 0; i < WORLD_CLIENTS; i++)
        world->clients[i].waiting = false;
}

static void prepare_store(struct world *world) {
    test_store_plan(world->store, decide, world);
    test_store_delay(world->store, true);
    test_store_shuffle(world->store, draw(world) | 1);
}

static void stop(struct world *world) {
    test_store_attach(world->store, NULL);
    cella_vault_free(world->vault);
    world->vault = NULL;
    forget_answers(world);
    bool crashed = test_store_crashed(world->store);
    world->outcome->crashes += crashed ? 1 : 0;
    /* When only the host ends, what it wrote stays written. */
    test_store_restart(world->store, crashed ? world->plan->survivors : UINT64_MAX);
    prepare_store(world);
}

/* A host begins again from nothing while the vault has never been ready. */
static void start_over(struct world *world) {
    test_store_free(world->store);
    world->store = test_store_new();
    prepare_store(world);
}

static void after_open(struct world *world);

static void create(struct world *world) {
    const struct cella_vault_options options = options_of(world);
    const struct cella_genesis genesis = {.kind = CELLA_VAULT_MACHINE};
    struct cella_vault_report report;
    enum cella_status status = cella_vault_create(&options, &genesis, &world->vault, &report, NULL);
    if (status != CELLA_OK) {
        stop(world);
        start_over(world);
        return;
    }
    test_store_attach(world->store, world->vault);
    world->created = true;
    struct cella_bytes bytes = cella_vault_genesis(world->vault);
    for (unsigned i = 0; i < WORLD_CLIENTS; i++) {
        memcpy(world->clients[i].known.genesis, bytes.data, bytes.size);
        world->clients[i].known.genesis_size = bytes.size;
    }
}

static bool may_try_again(enum cella_status status) {
    return status == CELLA_STORAGE_FULL || status == CELLA_STORAGE_IO || status == CELLA_STORAGE_READ_ONLY;
}

static void open_vault(struct world *world) {
    const struct cella_vault_options options = options_of(world);
    struct cella_vault_report report;
    struct cella_error error = {.message = ""};
    enum cella_status status = cella_vault_open(&options, &world->vault, &report, &error);
    world->outcome->restarts++;
    if (status == CELLA_OK) {
        test_store_attach(world->store, world->vault);
        after_open(world);
    } else if (test_store_crashed(world->store) || may_try_again(status)) {
        stop(world);
    } else if (world->lied) {
        detect(world, cella_status_name(status));
        world->wrong = true; /* the end of this world, with that verdict */
    } else {
        blame(world, "open: %s: %s", cella_status_name(status), error.message);
    }
}

/* --- what must hold --- */

static uint64_t sum_of_accounts(struct world *world) {
    uint64_t sum = 0;
    for (unsigned i = 0; i < ACCOUNTS; i++)
        sum += get_number(world, CELLA_SPACE_USER, "account", i);
    return sum;
}

/* A client that lost something shows what it knows; the vault must not be able to go on. */
static void must_notice(struct world *world, const struct client *client) {
    struct cella_client_context context;
    struct cella_vault_claim claim;
    cella_vault_known_ask(&client->known, 0, &context);
    enum cella_status status = cella_vault_check_context(world->vault, &context, &claim, NULL);
    if (status == CELLA_VAULT_FORK) {
        detect(world, "VAULT_FORK by a client's context");
        world->wrong = true;
    } else {
        blame(world, "client %u lost acknowledged requests, and the vault said %s", client->number,
              cella_status_name(status));
    }
}

static void check_client(struct world *world, const struct client *client) {
    uint64_t sequence = get_number(world, CELLA_SPACE_MAIL, "sequence", client->number);
    uint64_t counter = get_number(world, CELLA_SPACE_USER, "counter", client->number);
    if (counter != sequence)
        blame(world, "client %u: counted to %llu in request %llu", client->number,
              (unsigned long long)counter, (unsigned long long)sequence);
    if (sequence > client->sent)
        blame(world, "client %u: request %llu is there and was never sent", client->number,
              (unsigned long long)sequence);
    if (get_number(world, CELLA_SPACE_USER, "never", client->number) != 0)
        blame(world, "client %u: a failed handler's change is there", client->number);
}

static void check_state(struct world *world) {
    const struct client *loser = NULL;
    if (cella_vault_begin(world->vault, NULL) != CELLA_OK)
        return;
    uint64_t sum = sum_of_accounts(world);
    if (sum != (uint64_t)ACCOUNTS * ACCOUNT_START && sum != 0)
        blame(world, "the accounts add up to %llu", (unsigned long long)sum);
    for (unsigned i = 0; i < WORLD_CLIENTS; i++) {
        const struct client *client = &world->clients[i];
        check_client(world, client);
        if (get_number(world, CELLA_SPACE_MAIL, "sequence", i) < client->acknowledged)
            loser = client;
        else if (sum == 0 && client->acknowledged > 0)
            loser = client;
    }
    cella_vault_abort(world->vault);
    if (loser != NULL && !world->lied)
        blame(world, "client %u: acknowledged request %llu is not there", loser->number,
              (unsigned long long)loser->acknowledged);
    else if (loser != NULL)
        must_notice(world, loser);
    else if (sum == 0)
        (void)put_accounts(world);
}

/* A client meets the new instance: shows what it knows, and judges what comes back. */
static void meet(struct world *world, struct cella_vault_known *known, const char *who,
                 struct cella_vault_reading *reading) {
    struct cella_client_context asked;
    struct cella_vault_claim claim;
    struct cella_vault_context context;
    struct cella_fork_evidence evidence;
    struct cella_error error = {.message = ""};
    uint8_t bytes[CELLA_CONTEXT_SIZE_MAX];
    size_t size;
    if (!known->has_head || world->wrong)
        return;
    cella_vault_known_ask(known, 0, &asked);
    enum cella_status status = cella_vault_check_context(world->vault, &asked, &claim, &error);
    if (status == CELLA_OK)
        status = cella_vault_write_context(world->vault, reading->moment, &claim, bytes, &size);
    if (status == CELLA_OK)
        status = cella_vault_context_parse(CELLA_BYTES(bytes, size), &context, &error);
    if (status == CELLA_OK)
        status = cella_vault_known_judge(known, &asked, &context, &evidence, &error);
    if (status == CELLA_OK || test_store_crashed(world->store) || may_try_again(status))
        return;
    if (world->lied) {
        detect(world, cella_status_name(status));
        world->wrong = true;
        return;
    }
    blame(world, "a client (%s) met an honest vault and found %s: %s", who, cella_status_name(status),
          error.message);
}

static void after_open(struct world *world) {
    struct cella_vault_reading reading;
    check_state(world);
    if (world->wrong || cella_vault_read(world->vault, &reading) != CELLA_OK)
        return;
    struct cella_vault_known witness = world->witness;
    meet(world, &witness, "the first", &reading);
    for (unsigned i = 0; i < WORLD_CLIENTS; i++)
        meet(world, &world->clients[i].known, "a usual one", &reading);
    cella_vault_reading_release(world->vault, &reading);
}

/* --- the course of things --- */

static bool all_done(const struct world *world) {
    for (unsigned i = 0; i < WORLD_CLIENTS; i++)
        if (world->clients[i].acknowledged < world->plan->requests)
            return false;
    return true;
}

static void step(struct world *world) {
    struct client *client = &world->clients[draw(world) % WORLD_CLIENTS];
    uint64_t choice = draw(world) % 100;
    if (choice == 0) { /* the host is killed: what it had not done is lost, what it had is there */
        stop(world);
    } else if (choice < 50) {
        if (!client->waiting && client->acknowledged < world->plan->requests)
            send_request(world, client);
    } else {
        test_store_work(world->store, 1 + (size_t)(choice % 3));
    }
}

static void run(struct world *world) {
    for (unsigned steps = 0; steps < STEPS_MAX && !world->wrong; steps++) {
        if (test_store_crashed(world->store)) {
            stop(world);
            if (!world->created)
                start_over(world);
        }
        if (world->vault == NULL) {
            if (++world->starts > STARTS_MAX) {
                blame(world, "it did not start in %d attempts", STARTS_MAX);
                return;
            }
            if (!world->created) {
                create(world);
                if (world->vault != NULL)
                    (void)put_accounts(world);
            } else {
                open_vault(world);
            }
            continue;
        }
        if (all_done(world))
            return;
        step(world);
    }
    blame(world, "it came to no end");
}

/* One more crash and start at the end, so that what was told last is looked for, too. */
static void finish(struct world *world) {
    for (unsigned i = 0; i < STARTS_MAX && !world->wrong; i++) {
        if (world->vault != NULL)
            stop(world);
        test_store_restart(world->store, world->plan->survivors);
        prepare_store(world);
        open_vault(world);
        if (world->vault != NULL && !test_store_crashed(world->store))
            return;
    }
    blame(world, "it did not start at the end");
}

void world_run(const struct plan *plan, struct operation *trace, size_t capacity,
               struct outcome *ret_outcome) {
    struct world *world = calloc(1, sizeof *world);
    if (world == NULL)
        abort();
    *ret_outcome = (struct outcome){.verdict = VERDICT_DONE};
    world->plan = plan;
    world->outcome = ret_outcome;
    world->random = plan->seed;
    world->trace = trace;
    world->trace_capacity = capacity;
    for (unsigned i = 0; i < WORLD_CLIENTS; i++) {
        world->clients[i].world = world;
        world->clients[i].number = i;
    }
    test_machine_init(&world->machine);
    world->store = test_store_new();
    start_over(world);
    run(world);
    if (!world->wrong)
        finish(world);
    ret_outcome->operations = world->operations;
    test_store_attach(world->store, NULL);
    cella_vault_free(world->vault);
    test_store_free(world->store);
    free(world);
}
