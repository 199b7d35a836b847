/* net-tx-64-eager: 64-byte frames out, nothing suppressed. */
#include "../../guest/lib/bench.h"
#include "net_kernels.h"
#include "netload.h"

const uint32_t net_frame_len = 64;

DEFINE_BENCHMARK(
    net_tx_64_eager, "net-tx-64-eager", "io", "packet out",
    "64-byte packets out, a notification and an interrupt for each", 0,
    .refuse = netload_refuse, .init = netload_eager, .kernel = net_tx_kernel,
    .control = net_tx_control, .checksum = net_tx_checksum,
    .verify = netload_verify);
