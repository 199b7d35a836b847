/* net-rr-1500: a 1500-byte frame goes to the peer and comes back. */
#include "../../guest/lib/bench.h"
#include "net_kernels.h"
#include "netload.h"

const uint32_t net_frame_len = 1500;

DEFINE_BENCHMARK(
    net_rr_1500, "net-rr-1500", "io", "round trip",
    "1500-byte request and response through virtio-net, one at a time", 0,
    .refuse = netload_refuse, .init = netload_eager, .kernel = net_rr_kernel,
    .checksum = net_rr_checksum, .verify = netload_verify);
