/* The list of backends. */
#include "backend.h"

#include <string.h>

extern const struct backend backend_native, backend_interp, backend_direct,
    backend_bt, backend_kvm, backend_qemu_tcg, backend_qemu_kvm;

const struct backend *const backends[] = {
    &backend_native, &backend_interp,   &backend_direct,   &backend_bt,
    &backend_kvm,    &backend_qemu_tcg, &backend_qemu_kvm, NULL,
};

const struct backend *backend_find(const char *name)
{
    for (int i = 0; backends[i]; i++)
        if (!strcmp(backends[i]->name, name))
            return backends[i];
    return NULL;
}
