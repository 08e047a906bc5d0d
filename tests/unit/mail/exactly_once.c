/* Whatever clients, host, disk and instances do, in any order: no request is done twice, none out of order,
 * each gets the one reply that it got when it was done, and every post of a life arrives once, in order.
 * Random conversations against a model; a failure names the seed and the step. */
#include "unit/mail/kept_office.h"
#include "base/reader.h"
#include "base/writer.h"
#include <stdlib.h>
#include <string.h>

enum { CLIENTS = 4, TOPICS = 2, STEPS = 1500, SEEDS = 6, SENT_MAX = 2 * STEPS, POST_SIZE = 24 };

/* A request, by its name. */
struct name {
    unsigned client, topic;
    uint32_t life;
    uint64_t sequence;
};

struct sent {
    struct cella_bytes mail;
    struct name name;
    bool has_failed; /* its handler ran, in vain */
};

struct client {
    struct cella_x25519_key key;
    struct cella_mail_session *session;
    uint32_t life;     /* of the client's own memory */
    bool open[TOPICS]; /* a request without a reply */
    uint64_t next[TOPICS];
    size_t received; /* posts of this life */
    /* What the enclave has done. */
    uint32_t done_life;
    uint64_t done[TOPICS];    /* requests of that life */
    uint32_t posts[SENT_MAX]; /* seeds of its posts */
    size_t post_count;
};

struct world {
    struct kept_office kept;
    struct client clients[CLIENTS];
    struct sent sent[SENT_MAX];
    size_t sent_count;
    uint32_t next_seed;
    uint64_t random;
    struct kept_result result;
    unsigned ran, repeated, refused, forgotten, restarts;
};

static uint32_t roll(struct world *world, uint32_t sides) {
    world->random = world->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(world->random >> 33) % sides;
}

static const char *topic_name(unsigned topic) {
    return topic == 0 ? "one" : "two";
}

static struct cella_bytes body_of(const struct name *name) {
    uint8_t out[24];
    struct cella_writer writer;
    cella_writer_init(&writer, out, sizeof out);
    cella_write_u32(&writer, name->client);
    cella_write_u32(&writer, name->life);
    cella_write_u32(&writer, name->topic);
    cella_write_u64(&writer, name->sequence);
    return test_copy(cella_writer_bytes(&writer));
}

static struct cella_bytes reply_of(const struct name *name) {
    struct cella_bytes body = body_of(name);
    uint8_t out[64];
    memcpy(out, "reply to ", 9);
    memcpy(out + 9, body.data, body.size);
    return test_copy(CELLA_BYTES(out, 9 + body.size));
}

static void become(struct world *world, unsigned client) {
    world->kept.office.client = world->clients[client].key;
    world->kept.office.session = world->clients[client].session;
}

/* A handler has run and its transaction holds. */
static void note_done(struct world *world, const struct name *name, uint32_t seed, unsigned posts) {
    struct client *client = &world->clients[name->client];
    if (client->done_life != name->life) {
        assert_true(name->life > client->done_life);
        client->done_life = name->life;
        client->post_count = 0;
        memset(client->done, 0, sizeof client->done);
    }
    assert_int_equal(name->sequence, client->done[name->topic]);
    client->done[name->topic]++;
    for (unsigned i = 0; i < posts; i++)
        client->posts[client->post_count++] = seed + i;
    world->ran++;
}

static void lose_memory(struct client *client) {
    cella_mail_session_forget(client->session);
    client->life++;
    client->received = 0;
    memset(client->open, 0, sizeof client->open);
    memset(client->next, 0, sizeof client->next);
}

/* The client reads posts; the host may have lost some. */
static void read_posts(struct world *world, unsigned number) {
    struct client *client = &world->clients[number];
    for (size_t i = 0; i < world->result.post_count; i++) {
        struct cella_mail_letter letter = {.memory = NULL};
        if (roll(world, 8) == 0)
            return;
        if (office_open_mail(&world->kept.office, world->result.posts[i], 0, &letter) != CELLA_OK)
            continue;
        assert_int_equal(client->life, client->done_life);
        assert_in_range(client->received, 0, client->post_count - 1);
        assert_bytes(letter.body, test_pattern(POST_SIZE, client->posts[client->received++]));
        cella_mail_letter_deinit(&letter);
    }
}

static void read_answer(struct world *world, const struct sent *sent) {
    struct client *client = &world->clients[sent->name.client];
    struct cella_mail_letter letter = {.memory = NULL};
    enum cella_status status = office_open_mail(&world->kept.office, world->result.answer, 0, &letter);
    if (status != CELLA_OK || letter.role != CELLA_MAIL_REPLY) {
        cella_mail_letter_deinit(&letter);
        return;
    }
    assert_true(client->open[sent->name.topic]);
    assert_int_equal(letter.sequence + 1, client->next[sent->name.topic]);
    assert_bytes(letter.body, reply_of(&sent->name));
    client->open[sent->name.topic] = false;
    cella_mail_letter_deinit(&letter);
}

/* A mail reaches the enclave; the model learns what became of it. */
static enum cella_status deliver(struct world *world, struct sent *sent, bool quietly) {
    struct cella_bytes reply = reply_of(&sent->name);
    uint32_t fate = quietly ? 9 : roll(world, 10);
    struct kept_handling handling = {.handler_fails = fate == 0,
                                     .commit_fails = fate == 1,
                                     .reply = &reply,
                                     .posts = roll(world, 3),
                                     .post_topic = "p",
                                     .post_size = POST_SIZE,
                                     .post_seed = world->next_seed};
    world->next_seed += handling.posts;
    world->kept.shelf.fail_after = fate == 2 ? 1 + roll(world, 12) : 0;
    enum cella_status status = kept_deliver(&world->kept, sent->mail, &handling, &world->result);
    world->kept.shelf.fail_after = 0;
    assert_false(sent->has_failed && world->result.ran);
    sent->has_failed |= world->result.ran && status != CELLA_OK;
    if (status == CELLA_OK && world->result.ran)
        note_done(world, &sent->name, handling.post_seed, handling.posts);
    world->repeated += status == CELLA_OK && world->result.verdict == CELLA_MAILBOX_REPEAT;
    world->refused += status != CELLA_OK;
    return status;
}

static struct sent *note_sent(struct world *world, const struct name *name, struct cella_bytes mail) {
    assert_in_range(world->sent_count, 0, SENT_MAX - 1);
    struct sent *sent = &world->sent[world->sent_count++];
    *sent = (struct sent){.mail = mail, .name = *name};
    return sent;
}

/* The mail goes, or the host holds it back; the answer comes, or it is lost. */
static void carry(struct world *world, struct sent *sent) {
    struct client *client = &world->clients[sent->name.client];
    if (roll(world, 8) == 0) {
        cella_mail_session_restart(client->session);
        return;
    }
    enum cella_status status = deliver(world, sent, false);
    if (status == CELLA_MAIL_UNKNOWN_HISTORY) {
        world->forgotten++;
        lose_memory(client);
    } else if (status != CELLA_OK || roll(world, 6) == 0) {
        cella_mail_session_restart(client->session);
    } else {
        read_answer(world, sent);
        read_posts(world, sent->name.client);
    }
}

static void say_hello(struct world *world, unsigned number) {
    struct name name = {.client = number, .life = world->clients[number].life};
    cella_mail_session_restart(world->clients[number].session);
    carry(world, note_sent(world, &name, kept_hello(&world->kept)));
}

static void ask(struct world *world, unsigned number) {
    struct client *client = &world->clients[number];
    unsigned topic = roll(world, TOPICS);
    struct name name = {.client = number, .topic = topic, .life = client->life};
    struct cella_mail_request request = office_request(topic_name(topic));
    request.way = roll(world, 4) == 0 ? CELLA_MAIL_WAY_ONE_SHOT : CELLA_MAIL_WAY_SESSION;
    if (cella_mail_session_phase(client->session) == CELLA_MAIL_PHASE_OPENING)
        cella_mail_session_restart(client->session);
    if (cella_mail_session_needs_hello(client->session, 24)) {
        say_hello(world, number);
        return;
    }
    request.repeat = client->open[topic];
    if (!request.repeat)
        client->next[topic]++;
    client->open[topic] = true;
    name.sequence = client->next[topic] - 1;
    carry(world, note_sent(world, &name, office_seal_as(&world->kept.office, &request, body_of(&name))));
}

static void acknowledge(struct world *world, unsigned number) {
    struct client *client = &world->clients[number];
    struct name name = {.client = number, .life = client->life};
    if (cella_mail_session_phase(client->session) != CELLA_MAIL_PHASE_OPEN)
        return;
    carry(world, note_sent(world, &name, kept_ack(&world->kept)));
}

static void restart(struct world *world) {
    kept_restart(&world->kept);
    for (unsigned i = 0; i < CLIENTS; i++)
        cella_mail_session_rekey(world->clients[i].session, world->kept.office.enclave.public_key);
    world->restarts++;
}

static void step(struct world *world) {
    unsigned number = roll(world, CLIENTS);
    become(world, number);
    switch (roll(world, 40)) {
    case 0:
        restart(world);
        break;
    case 1:
        lose_memory(&world->clients[number]);
        break;
    case 2:
    case 3:
        say_hello(world, number);
        break;
    case 4:
    case 5:
    case 6:
        acknowledge(world, number);
        break;
    case 7:
    case 8:
    case 9:
    case 10:
    case 11:
        /* The host sends something again, or for the first time. */
        if (world->sent_count > 0) {
            size_t back = roll(world, 2) == 0 ? roll(world, 12) : roll(world, (uint32_t)world->sent_count);
            size_t at = back < world->sent_count ? world->sent_count - 1 - back : 0;
            become(world, world->sent[at].name.client);
            (void)deliver(world, &world->sent[at], false);
        }
        break;
    default:
        ask(world, number);
    }
}

/* With a host that carries everything, all that was done is heard of in the end. */
static void settle(struct world *world, unsigned number) {
    struct client *client = &world->clients[number];
    struct name name = {.client = number, .life = client->life};
    struct cella_mail_letter letter;
    become(world, number);
    if (client->life != client->done_life)
        return;
    cella_mail_session_restart(client->session);
    struct sent *hello = note_sent(world, &name, kept_hello(&world->kept));
    assert_status(deliver(world, hello, true), CELLA_OK);
    assert_status(office_open_mail(&world->kept.office, world->result.answer, 0, &letter), CELLA_OK);
    cella_mail_letter_deinit(&letter);
    while (world->result.post_count > 0) {
        for (size_t i = 0; i < world->result.post_count; i++) {
            assert_status(office_open_mail(&world->kept.office, world->result.posts[i], 0, &letter),
                          CELLA_OK);
            assert_bytes(letter.body, test_pattern(POST_SIZE, client->posts[client->received++]));
            cella_mail_letter_deinit(&letter);
        }
        struct sent *ack = note_sent(world, &name, kept_ack(&world->kept));
        assert_status(deliver(world, ack, true), CELLA_OK);
        assert_status(office_open_mail(&world->kept.office, world->result.answer, 0, &letter), CELLA_OK);
        cella_mail_letter_deinit(&letter);
    }
}

static bool is_known(struct world *world, unsigned number) {
    shelf_begin(&world->kept.shelf);
    bool known = cella_mailbox_knows(world->kept.office.mailbox, world->clients[number].key.public_key);
    shelf_commit(&world->kept.shelf);
    return known;
}

static void converse(struct world *world, uint64_t seed, uint32_t max_senders) {
    struct cella_mailbox_limits limits = {.max_senders = max_senders, .max_stored_bytes = 5 * 256};
    memset(world, 0, sizeof *world);
    world->random = seed;
    kept_open(&world->kept, &limits);
    world->clients[0].key = world->kept.office.client;
    world->clients[0].session = world->kept.office.session;
    for (unsigned i = 1; i < CLIENTS; i++)
        office_client(&world->kept.office, &world->clients[i].key, &world->clients[i].session);
    for (unsigned i = 0; i < STEPS; i++)
        step(world);
    for (unsigned i = 0; i < CLIENTS; i++)
        if (max_senders >= CLIENTS && is_known(world, i)) {
            settle(world, i);
            if (world->clients[i].life == world->clients[i].done_life)
                assert_int_equal(world->clients[i].received, world->clients[i].post_count);
        }
    become(world, 0);
    kept_close(&world->kept);
    for (unsigned i = 1; i < CLIENTS; i++) {
        cella_mail_session_free(world->clients[i].session);
        cella_x25519_deinit(&world->clients[i].key);
    }
}

static void run_all(uint32_t max_senders, bool expect_forgotten) {
    struct world *world = malloc(sizeof *world);
    assert_non_null(world);
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        print_message("seed %llu, %u senders\n", (unsigned long long)seed, max_senders);
        converse(world, seed, max_senders);
        /* That the conversation was one. */
        assert_true(world->ran > 100 && world->repeated > 10 && world->refused > 50 && world->restarts > 5);
        assert_true((world->forgotten > 5) == expect_forgotten || !expect_forgotten);
    }
    free(world);
}

static void requests_are_done_once_while_all_senders_are_remembered(void **state) {
    run_all(CLIENTS, false);
    (void)state;
}

static void requests_are_done_once_while_senders_are_forgotten(void **state) {
    run_all(2, true);
    (void)state;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_done_once_while_all_senders_are_remembered),
        cmocka_unit_test(requests_are_done_once_while_senders_are_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
