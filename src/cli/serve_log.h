/* Log lines of a host on stderr: "time level component event key=value", or one JSON object a line. */
#ifndef CELLA_CLI_SERVE_LOG_H
#define CELLA_CLI_SERVE_LOG_H

#include "cli/serve.h"

struct cli_serve_log {
    bool json;
    enum cli_log_level level;
};

/* As struct cella_host_events wants it; `context` is the struct above. */
void cli_serve_log(void *context, const char *level, const char *enclave, const char *event,
                   const char *facts);

#endif
