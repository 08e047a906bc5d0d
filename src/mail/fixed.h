/* For tests and the worked examples of formats/mail.md only: known ephemeral keys and session ids in place of
 * random ones. A session that uses them protects nothing. Nothing outside tests may include this. */
#ifndef CELLA_MAIL_FIXED_H
#define CELLA_MAIL_FIXED_H

#include "mail/mailbox.h"
#include "mail/noise.h"
#include "mail/session.h"

struct cella_mail_fixed {
    uint8_t session_id[CELLA_MAIL_SESSION_ID_SIZE];
    uint8_t ephemeral[CELLA_X25519_SIZE];
};

/* Before the message that sends e. */
enum cella_status cella_noise_fix_ephemeral(struct cella_noise_handshake *handshake,
                                            const uint8_t ephemeral[CELLA_X25519_SIZE]);

/* From now on for every handshake; `fixed` is borrowed, NULL ends it. */
void cella_mail_session_fix(struct cella_mail_session *session, const struct cella_mail_fixed *fixed);
void cella_mailbox_fix(struct cella_mailbox *mailbox, const struct cella_mail_fixed *fixed);

#endif
