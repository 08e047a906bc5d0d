/* Views: states that stay. Taken under the writer's lock, used and released without any. Must not: free what
 * a released view had kept; the writer does. */
#include "state/map_internal.h"

enum cella_status cella_map_view_new(struct cella_map *map, struct cella_map_view **ret_view) {
    struct cella_map_view *view = map->newest_view;
    if (view != NULL && view->moment == map->moment) {
        (void)atomic_fetch_add_explicit(&view->holders, 1, memory_order_relaxed);
        *ret_view = view;
        return CELLA_OK;
    }
    view = cella_map_allocate(map, sizeof *view);
    if (view == NULL)
        return CELLA_NO_MEMORY;
    *view = (struct cella_map_view){
        .older = map->newest_view, .state = map->committed, .moment = map->moment, .holders = 1};
    if (view->older != NULL)
        view->older->newer = view;
    map->newest_view = view;
    *ret_view = view;
    return CELLA_OK;
}

struct cella_map_view *cella_map_view_hold(struct cella_map_view *view) {
    unsigned holders = atomic_fetch_add_explicit(&view->holders, 1, memory_order_relaxed);
    CELLA_ASSERT(holders > 0);
    return view;
}

void cella_map_view_release(struct cella_map_view *view) {
    if (view == NULL)
        return;
    /* The writer may free it from here on. */
    unsigned holders = atomic_fetch_sub_explicit(&view->holders, 1, memory_order_release);
    CELLA_ASSERT(holders > 0);
}

bool cella_map_view_get(const struct cella_map_view *view, struct cella_bytes key,
                        struct cella_bytes *ret_value) {
    return cella_map_find(view->state.root, key, ret_value);
}
