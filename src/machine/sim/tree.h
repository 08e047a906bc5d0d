/* Whole folders: copying, exchanging and removing them. For the command, never for a running host. Must not
 * follow a symbolic link out of the folder it was given. */
#ifndef CELLA_MACHINE_SIM_TREE_H
#define CELLA_MACHINE_SIM_TREE_H

#include <cella/status.h>

/* Copies the folder `from` with its files and folders to the new name `to`, flushed; `to` appears complete or
 * not at all. CELLA_EXISTS, CELLA_NOT_FOUND, CELLA_UNSUPPORTED (something other than files and folders),
 * CELLA_ARGUMENT (a machine is inside: its counters are hardware), CELLA_IO, CELLA_LIMIT (too deep). */
enum cella_status cella_sim_tree_copy(const char *from, const char *to, struct cella_error *error);

/* Makes the folder `to` equal to the copy `from` in one step; what was there is removed. The same statuses.
 */
enum cella_status cella_sim_tree_restore(const char *from, const char *to, struct cella_error *error);

/* Checks that one of the two above could begin. The same statuses. */
enum cella_status cella_sim_tree_check(const char *from, struct cella_error *error);

/* Removes a folder with all that is in it. CELLA_IO. */
enum cella_status cella_sim_tree_remove(const char *path, struct cella_error *error);

#endif
