/* What the files of the played enclave share. */
#ifndef CELLA_TEST_CLIENT_WORLD_INTERNAL_H
#define CELLA_TEST_CLIENT_WORLD_INTERNAL_H

#include "unit/client/world.h"

/* One more record of the running instance. */
void world_append(struct world *world);
/* The first of the host's queue. */
void world_drop_post(struct world *world);

enum cella_status world_carry_attestation(void *context, const uint8_t nonce[CELLA_CLIENT_NONCE_SIZE],
                                          uint8_t **ret_data, size_t *ret_size, struct cella_error *error);
enum cella_status world_carry_mail(void *context, const uint8_t route[CELLA_CLIENT_ROUTE_SIZE],
                                   struct cella_bytes mail, uint8_t **ret_reply, size_t *ret_reply_size,
                                   struct cella_error *error);
enum cella_status world_carry_poll(void *context, const struct cella_client_poll_request *request,
                                   uint8_t **ret_mail, size_t *ret_mail_size, struct cella_error *error);

#endif
