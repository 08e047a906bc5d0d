/* Parts of one instance's host end that its files share. */
#ifndef CELLA_HOST_INSTANCE_INTERNAL_H
#define CELLA_HOST_INSTANCE_INTERNAL_H

#include "door/door.h"
#include "host/instance.h"
#include "machine/machine.h"
#include "state/journal.h"
#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

enum {
    INSTANCE_REQUESTS = 4096,                   /* requests under way at once */
    INSTANCE_PENDING = 1024,                    /* of them, waiting for room in the door */
    INSTANCE_PENDING_BYTES = 256 * 1024 * 1024, /* and their bytes */
    INSTANCE_CALL_DEPTH = 64,                   /* nested calls of one enclave thread */
    INSTANCE_CALL_THREADS = 512,                /* calls of the enclave to the host under way at once */
    INSTANCE_MESSAGE_EXTRA = 256 * 1024,        /* bytes around a body: headers, padding, tags */
    INSTANCE_MESSAGE_LEAST = (1 << 20) + 4096,  /* a write to the vault always fits */
    /* How long the reader looks for answers before it sleeps while requests are under way: about 20
     * microseconds, and what an enclave thread takes to wake and answer after a write to the vault is done.
     */
    INSTANCE_SPINS = 500,
    INSTANCE_SPINS_WRITTEN = 3000,
};

enum instance_state { INSTANCE_STARTING, INSTANCE_SERVING, INSTANCE_CLOSING, INSTANCE_ENDED };

/* A request under way. Its frame id is generation << 16 | slot + 1, so that a stale answer finds nothing. */
struct instance_request {
    cella_instance_done *done; /* NULL: free */
    void *context;
    uint64_t id;
    uint16_t answer; /* the frame type that answers it */
    int next_free;
};

/* A message that waits for room. */
struct instance_pending {
    struct instance_pending *next;
    struct cella_frame frame;
    size_t size;
    uint8_t data[];
};

/* Calls of one enclave thread to the host, innermost last. */
struct instance_calls {
    struct cella_ring ring;
    pthread_mutex_t ring_lock;
    uint64_t active[INSTANCE_CALL_DEPTH];
    unsigned depth;
};

struct cella_instance {
    struct cella_instance_events events;
    struct cella_instance_info info;
    struct cella_machine *machine;
    pid_t keeper;
    int control_fd;
    struct cella_door_region *door;

    pthread_mutex_t lock; /* everything below but the rings' insides */
    pthread_cond_t changed;
    enum instance_state state;
    bool told_started;
    unsigned vault_kind; /* of the image's settings, once told_started */
    bool checked;        /* CHECKED came: the three below */
    enum cella_status check_status;
    char check_text[256];
    struct cella_vault_report check_report;
    enum cella_status end_status;
    char end_reason[256];
    uint32_t ended; /* also read without the lock */
    uint64_t generation;
    int first_free;
    unsigned open_requests; /* also read without the lock */
    unsigned max_requests;  /* of the image's settings */
    struct instance_request requests[INSTANCE_REQUESTS];
    unsigned call_threads; /* handlers of the enclave's calls that are running */

    pthread_mutex_t send_lock; /* request ring's producer and the queue in front of it */
    pthread_cond_t send_changed;
    struct cella_ring request_ring;
    struct instance_pending *first_pending;
    struct instance_pending **last_pending;
    size_t pending_count;
    size_t pending_bytes;
    bool writer_busy;

    struct cella_ring reply_ring; /* reader thread only */
    uint32_t reader_awake;        /* the reader will look whether requests wait before it sleeps */
    uint8_t *message;             /* reader thread only: what is being collected */
    size_t message_size;
    size_t message_capacity;
    size_t message_limit; /* of one message that comes out, from max_mail_size of the image's settings */

    bool checks;      /* it is started to check its vault */
    char *vault_path; /* NULL: none */
    enum cella_vault_mode vault_mode;
    struct cella_disk_posix *vault_folder;
    struct cella_storage *storage; /* NULL: no vault */
    uint32_t store_steps;          /* reads that were served; changed without a lock, as the three below */
    uint64_t vault_version, vault_snapshot, vault_evidence;
    struct cella_journal
        vault_segment; /* reader thread only: of the segment that grows, its header's digest */
    unsigned spins;    /* reader thread only: how long it looks before it sleeps */

    pthread_mutex_t call_lock;
    struct instance_calls calls[CELLA_DOOR_THREADS];

    pthread_t reader;
    pthread_t control;
    pthread_t writer;
    bool has_reader;
    bool has_control;
    bool has_writer;
    bool reader_done;
};

extern const struct cella_door_park cella_instance_park;

/* instance_wire.c */
void cella_instance_wire_init(struct cella_instance *instance);
void *cella_instance_reader_main(void *instance);
void *cella_instance_writer_main(void *instance);
/* Puts a message into the request ring, or in the queue in front of it. */
enum cella_status cella_instance_send(struct cella_instance *instance, struct cella_frame frame,
                                      const struct cella_bytes *parts, size_t part_count);

/* instance_calls.c */
enum cella_status cella_instance_start_call(struct cella_instance *instance, uint16_t type, uint64_t id,
                                            struct cella_bytes message);

/* instance_vault.c: opens or makes the folder of an image with this kind of vault, and decides the mode. */
enum cella_status cella_instance_open_vault(struct cella_instance *instance, unsigned kind,
                                            struct cella_error *error);
/* A new vault takes its name. */
enum cella_status cella_instance_settle_vault(struct cella_instance *instance, struct cella_error *error);
void cella_instance_close_vault(struct cella_instance *instance);

/* instance_store.c: one frame that is about the vault. In the reader's thread. */
void cella_instance_handle_store(struct cella_instance *instance, uint16_t type, uint64_t id,
                                 struct cella_bytes message);
void cella_instance_store_written(void *instance, struct cella_storage_ticket ticket,
                                  enum cella_status status);

/* instance_ready.c: what an instance says at the end of its start. */
void cella_instance_handle_ready(struct cella_instance *instance, struct cella_bytes message);
void cella_instance_handle_failed(struct cella_instance *instance, struct cella_bytes message);
void cella_instance_handle_checked(struct cella_instance *instance, struct cella_bytes message);

/* instance.c: the first end wins; wakes everything that waits. */
void cella_instance_set_ended(struct cella_instance *instance, enum cella_status status, const char *reason);

#endif
