/* net-rr-64: a 64-byte frame goes to the peer and comes back. */
#include "../../guest/lib/bench.h"
#include "net_kernels.h"
#include "netload.h"

const uint32_t net_frame_len = 64;

DEFINE_BENCHMARK(
    net_rr_64, "net-rr-64", "io", "round trip",
    "64-byte request and response through virtio-net, one at a time", 0,
    .refuse = netload_refuse, .init = netload_eager, .kernel = net_rr_kernel,
    .checksum = net_rr_checksum, .verify = netload_verify);
