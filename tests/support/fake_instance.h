/* An implementation of src/host/instance.h inside the test's own process: no keeper, no door, but a real
 * mailbox and a real simulated machine. Linked in place of the real one. What it does is chosen by the
 * image's path:
 *   raw     every mail is answered by its own bytes; "silent" is never answered until the end; "none" has no
 *           reply; "fail" is CELLA_HANDLER_FAILED; a call is answered by its bytes
 *   mail    a mailbox whose handler answers with the body; topic "quiet" has no reply, "refuse" fails, "post"
 *           also posts the body to the sender
 *   mute    as raw, but a report is never answered until the end
 *   stuck   as raw, but it does not close in time, and a nested call does not return before the end
 *   kept    as raw, with a vault: its folder is made if there is none
 *   stale   does not start: its vault is older than its newest known state
 *   broken  does not start
 *   early   ends while it starts */
#ifndef CELLA_FAKE_INSTANCE_H
#define CELLA_FAKE_INSTANCE_H

#include "host/instance.h"
#include <stdbool.h>

/* The newest instance that started; the test may act on it. */
struct cella_instance *cella_fake_newest(void);
/* How many were started and are not freed. */
unsigned cella_fake_alive(void);
/* Ends it by itself, as a crash does. */
void cella_fake_crash(struct cella_instance *instance, const char *reason);
/* From now on it answers no report (true), or also those that it had kept (false). */
void cella_fake_mute(struct cella_instance *instance, bool mute);
/* The most instances that were being closed at one time since the last call. */
unsigned cella_fake_closing_peak(void);
/* The disk under its vault fails so, or works again (CELLA_OK). */
void cella_fake_storage(struct cella_instance *instance, enum cella_status status, const char *message);
/* A post of the enclave's own. */
void cella_fake_post(struct cella_instance *instance, const uint8_t route[CELLA_ROUTE_SIZE],
                     struct cella_bytes mail);
/* The enclave calls the host. */
enum cella_status cella_fake_call_host(struct cella_instance *instance, struct cella_bytes request,
                                       uint8_t **ret_reply, size_t *ret_reply_size);
/* How many handlers have run in the mailbox, over all instances. */
unsigned cella_fake_handled(void);
/* Code hash of the instances that start from now on: all bytes have this value. */
void cella_fake_set_code(uint8_t value);

#endif
