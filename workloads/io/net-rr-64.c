/* net-rr-64: a 64-byte frame goes to the peer and comes back. */
#include "../../guest/lib/bench.h"
#include "netload.h"

#define LEN 64

static void rr_64_kernel(uint64_t n)
{
    netload_echo(n, LEN);
}

static uint64_t rr_64_checksum(void)
{
    return netload_echo_checksum(LEN);
}

DEFINE_BENCHMARK(
    net_rr_64, "net-rr-64", "io", "round trip",
    "64-byte request and response through virtio-net, one at a time", 0,
    .refuse = netload_refuse, .init = netload_eager, .kernel = rr_64_kernel,
    .checksum = rr_64_checksum, .verify = netload_verify);
