/* COM1: a 16550A whose transmitter is infinitely fast.
 *
 * Nothing feeds its receiver but its own loop-back mode. */
#include "devices.h"
#include "guest/abi/abi.h"

#define UART_FIFO 16

/* Registers; the first two become the divisor while LCR.DLAB is set. */
enum {
    REG_DATA,
    REG_IER,
    REG_IIR,
    REG_LCR,
    REG_MCR,
    REG_LSR,
    REG_MSR,
    REG_SCR
};
#define REG_FCR REG_IIR

#define IER_RX 0x01
#define IER_THRE 0x02
#define IER_LSR 0x04
#define IER_MSR 0x08

#define IIR_NONE 0x01
#define IIR_MSR 0x00
#define IIR_THRE 0x02
#define IIR_RX 0x04
#define IIR_LSR 0x06
#define IIR_TIMEOUT 0x0c
#define IIR_FIFO 0xc0

#define FCR_ENABLE 0x01
#define FCR_CLEAR_RX 0x02

#define LCR_DLAB 0x80

#define MCR_LOOP 0x10
#define MCR_OUT2 0x08 /* gates the interrupt line */

#define LSR_DATA 0x01
#define LSR_OVERRUN 0x02
#define LSR_THRE 0x20 /* holding register empty */
#define LSR_TEMT 0x40 /* transmitter empty */

#define MSR_LINES 0xb0 /* CTS, DSR, DCD: somebody is listening */
#define MSR_DELTA 0x0f

struct uart {
    struct device dev;
    uint8_t ier, fcr, lcr, mcr, lsr, msr, scr;
    uint16_t divisor;
    bool thre_pending; /* "transmitter empty" not yet acknowledged */
    uint8_t fifo[UART_FIFO];
    unsigned head, count;
};

static unsigned uart_capacity(const struct uart *u)
{
    return u->fcr & FCR_ENABLE ? UART_FIFO : 1;
}

/* The highest-priority interrupt. Data that stay below the trigger level
 * would interrupt after four character times, which here is at once. */
static uint8_t uart_iir(const struct uart *u)
{
    static const uint8_t trigger[] = {1, 4, 8, 14};
    uint8_t fifo = u->fcr & FCR_ENABLE ? IIR_FIFO : 0;

    if ((u->ier & IER_LSR) && (u->lsr & LSR_OVERRUN))
        return fifo | IIR_LSR;
    if ((u->ier & IER_RX) && u->count) {
        bool full = !fifo || u->count >= trigger[u->fcr >> 6];

        return fifo | (full ? IIR_RX : IIR_TIMEOUT);
    }
    if ((u->ier & IER_THRE) && u->thre_pending)
        return fifo | IIR_THRE;
    if ((u->ier & IER_MSR) && (u->msr & MSR_DELTA))
        return fifo | IIR_MSR;
    return fifo | IIR_NONE;
}

static void uart_update(struct uart *u)
{
    bool pending = !(uart_iir(u) & IIR_NONE);

    board_set_pin(u->dev.board, TM_COM1_IRQ,
                  pending && (u->mcr & MCR_OUT2) && !(u->mcr & MCR_LOOP));
}

static void uart_receive(struct uart *u, uint8_t byte)
{
    if (u->count == uart_capacity(u)) {
        u->lsr |= LSR_OVERRUN;
        return;
    }
    u->fifo[(u->head + u->count++) % UART_FIFO] = byte;
}

static void uart_transmit(struct uart *u, uint8_t byte)
{
    struct board *b = u->dev.board;

    /* Lower the line first: an edge-triggered pin needs to see it rise. */
    u->thre_pending = false;
    uart_update(u);
    if (u->mcr & MCR_LOOP)
        uart_receive(u, byte);
    else
        b->host->serial(b->opaque, byte);
    u->thre_pending = true;
}

static uint8_t uart_take(struct uart *u)
{
    uint8_t byte;

    if (!u->count)
        return 0;
    byte = u->fifo[u->head];
    u->head = (u->head + 1) % UART_FIFO;
    u->count--;
    return byte;
}

/* In loop-back the modem outputs come back as inputs: DTR to DSR, RTS to CTS,
 * OUT1 to RI, OUT2 to DCD; each change sets its delta bit, RI only when it falls. */
static void uart_update_modem(struct uart *u)
{
    uint8_t m = u->mcr, now = MSR_LINES, changed;

    if (m & MCR_LOOP)
        now = (m & 2) << 3 | (m & 1) << 5 | (m & 4) << 4 | (m & 8) << 4;
    changed = ((u->msr ^ now) >> 4) & MSR_DELTA;
    if (now & 0x40)
        changed &= ~4;
    u->msr = now | (u->msr & MSR_DELTA) | changed;
}

static uint64_t uart_read(struct device *d, uint16_t port, unsigned size)
{
    struct uart *u = (struct uart *)d;
    uint8_t v = 0;

    (void)size;
    switch (port - TM_COM1_PORT) {
    case REG_DATA:
        v = u->lcr & LCR_DLAB ? u->divisor & 0xff : uart_take(u);
        break;
    case REG_IER:
        v = u->lcr & LCR_DLAB ? u->divisor >> 8 : u->ier;
        break;
    case REG_IIR:
        v = uart_iir(u);
        if ((v & 0x0f) == IIR_THRE)
            u->thre_pending = false;
        break;
    case REG_LCR:
        return u->lcr;
    case REG_MCR:
        return u->mcr;
    case REG_LSR:
        v = u->lsr | LSR_THRE | LSR_TEMT | (u->count ? LSR_DATA : 0);
        if (!u->lsr)
            return v; /* what a transmitting driver polls */
        u->lsr = 0;
        break;
    case REG_MSR:
        v = u->msr;
        u->msr &= ~MSR_DELTA;
        break;
    case REG_SCR:
        return u->scr;
    }
    uart_update(u);
    return v;
}

static void uart_write(struct device *d, uint16_t port, unsigned size,
                       uint64_t value)
{
    struct uart *u = (struct uart *)d;
    uint8_t v = value;

    (void)size;
    switch (port - TM_COM1_PORT) {
    case REG_DATA:
        if (u->lcr & LCR_DLAB)
            u->divisor = (u->divisor & 0xff00) | v;
        else
            uart_transmit(u, v);
        break;
    case REG_IER:
        if (u->lcr & LCR_DLAB) {
            u->divisor = (u->divisor & 0xff) | v << 8;
            break;
        }
        /* Enabling it with the transmitter empty interrupts at once. */
        if (!(u->ier & IER_THRE) && (v & IER_THRE))
            u->thre_pending = true;
        u->ier = v & 0x0f;
        break;
    case REG_FCR:
        if ((v ^ u->fcr) & FCR_ENABLE || v & FCR_CLEAR_RX)
            u->head = u->count = 0;
        u->fcr = v & (v & FCR_ENABLE ? 0xc9 : 0);
        break;
    case REG_LCR:
        u->lcr = v;
        return;
    case REG_MCR:
        u->mcr = v & 0x1f;
        uart_update_modem(u);
        break;
    case REG_LSR:
    case REG_MSR:
        return; /* read-only */
    case REG_SCR:
        u->scr = v;
        return;
    }
    uart_update(u);
}

static int uart_create(struct device *d, char why[REASON_MAX])
{
    struct uart *u = (struct uart *)d;

    (void)why;
    u->divisor = 12; /* 9600 baud, as firmware leaves it */
    u->msr = MSR_LINES;
    return 0;
}

const struct device_class device_uart = {
    .name = "uart",
    .size = sizeof(struct uart),
    .io = {{TM_COM1_PORT, 8}},
    .io_width = 1,
    .create = uart_create,
    .io_read = uart_read,
    .io_write = uart_write,
};
