/* The `cella` command as other processes, for the demo: what it shows must be what anyone can type. Must not:
 * leave a process behind, also when the demo itself is killed. */
#ifndef CELLA_CLI_DEMO_CHILD_H
#define CELLA_CLI_DEMO_CHILD_H

#include <cella/status.h>
#include <stdbool.h>
#include <sys/types.h>

/* Starts `cella ARGUMENTS…` (the list ends with NULL) with its output in the file `log_path`, which is made
 * anew. CELLA_IO. */
enum cella_status demo_child_start(const char *const *arguments, const char *log_path, pid_t *ret_process,
                                   struct cella_error *error);
/* False: it has ended by itself; demo_child_end still has to be called. */
bool demo_child_runs(pid_t process);
/* Sends the signal (0: none) and waits for the end. Returns the exit code, or -1 if a signal ended it. */
int demo_child_end(pid_t process, int signal_number);

/* Runs `cella ARGUMENTS…` to its end. `*ret_output` (from malloc) is what it printed, talk included.
 * CELLA_IO; an exit code other than 0 is CELLA_FAILED, with the output. */
enum cella_status demo_child_run(const char *const *arguments, const char *log_path, char **ret_output,
                                 struct cella_error *error);

#endif
