/* chess: counts the positions some moves ahead (perft) on bitboards, the class
 * of crafty: 64-bit logic, table look-ups and recursion. */
#include "../../guest/lib/bench.h"
#include "../../guest/lib/lib.h"

enum { PAWN, KNIGHT, BISHOP, ROOK, QUEEN, KING, CHESS_PIECES };

/* Rays: the first four lead to higher squares, the others to lower ones. Even
 * ones are the rook's, odd ones the bishop's. */
static const int8_t chess_steps[8][2] = {
    /* file, rank */
    {1, 0}, {1, 1}, {0, 1}, {-1, 1}, {-1, 0}, {-1, -1}, {0, -1}, {1, -1},
};

/* Castling rights: one bit a rook, as the squares it begins on. */
#define CHESS_H1 (1ull << 7)
#define CHESS_A1 (1ull << 0)
#define CHESS_H8 (1ull << 63)
#define CHESS_A8 (1ull << 56)
#define CHESS_NO_SQUARE 64
#define CHESS_MOVES_MAX 256

/* Square = 8 * rank + file, a1 = 0. */
struct chess_board {
    uint64_t piece[2][CHESS_PIECES]; /* [0]: white */
    uint64_t all[2];
    uint64_t castling; /* CHESS_* of rooks that may still castle */
    uint8_t passant;   /* where an en-passant capture ends, or NO_SQUARE */
    uint8_t side;      /* to move */
};

struct chess_move {
    uint8_t from, to, piece;
    uint8_t becomes; /* the piece after the move: differs on promotion */
};

/* Positions whose counts are published (the chess programming wiki's "perft
 * results"), with a depth each for an operation and for the checksum. */
static const struct chess_position {
    const char *fen;
    uint8_t depth, check_depth;
    uint32_t nodes, check_nodes;
} chess_positions[] = {
    {"rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq -", 2, 4, 400, 197281},
    {"r3k2r/p1ppqpb1/bn2pnp1/3PN3/1p2P3/2N2Q1p/PPPBBPPP/R3K2R w KQkq -", 2, 3,
     2039, 97862},
    {"8/2p5/3p4/KP5r/1R3p1k/8/4P1P1/8 w - -", 3, 4, 2812, 43238},
    {"r3k2r/Pppp1ppp/1b3nbN/nP6/BBP1P3/q4N2/Pp1P2PP/R2Q1RK1 w kq -", 2, 3, 264,
     9467},
    {"rnbq1k1r/pp1Pbppp/2p5/8/2B5/8/PPP1NnPP/RNBQK2R w KQ -", 2, 3, 1486,
     62379},
    {"r4rk1/1pp1qppp/p1np1n2/2b1p1B1/2B1P1b1/P1NP1N2/1PP1QPPP/R4RK1 w - -", 2,
     3, 2079, 89890},
};
#define CHESS_POSITIONS (sizeof(chess_positions) / sizeof(chess_positions[0]))

static struct chess_board chess_boards[CHESS_POSITIONS];
static uint64_t chess_counts[CHESS_POSITIONS];
static uint64_t chess_ray[8][64], chess_knight[64], chess_king[64];
static uint64_t chess_pawn[2][64]; /* what a pawn of each side attacks */

static inline unsigned chess_first(uint64_t set)
{
    return (unsigned)__builtin_ctzll(set);
}

static inline uint64_t chess_bit(unsigned square)
{
    return 1ull << square;
}

/* ---- Attacks ------------------------------------------------------------- */

/* The square that many files and ranks away, or 0 outside the board. */
static uint64_t chess_offset(unsigned square, int files, int ranks)
{
    int f = (int)(square % 8) + files, r = (int)(square / 8) + ranks;

    return f < 0 || f > 7 || r < 0 || r > 7 ? 0
                                            : chess_bit((unsigned)(8 * r + f));
}

static void chess_make_tables(void)
{
    for (unsigned s = 0; s < 64; s++) {
        for (unsigned d = 0; d < 8; d++) {
            int df = chess_steps[d][0], dr = chess_steps[d][1];

            chess_ray[d][s] = 0;
            for (int n = 1; n < 8; n++)
                chess_ray[d][s] |= chess_offset(s, n * df, n * dr);
        }
        chess_king[s] = chess_knight[s] = 0;
        for (int f = -2; f <= 2; f++) {
            for (int r = -2; r <= 2; r++) {
                if (f * f + r * r == 5)
                    chess_knight[s] |= chess_offset(s, f, r);
                if (f * f + r * r == 1 || f * f + r * r == 2)
                    chess_king[s] |= chess_offset(s, f, r);
            }
        }
        chess_pawn[0][s] = chess_offset(s, -1, 1) | chess_offset(s, 1, 1);
        chess_pawn[1][s] = chess_offset(s, -1, -1) | chess_offset(s, 1, -1);
    }
}

/* A ray up to its first occupied square and with it. */
static inline uint64_t chess_slide(unsigned d, unsigned square, uint64_t taken)
{
    uint64_t ray = chess_ray[d][square], hit = ray & taken;

    if (!hit)
        return ray;
    return ray ^ chess_ray[d][d < 4 ? chess_first(hit)
                                    : 63u - (unsigned)__builtin_clzll(hit)];
}

/* kind: 0 the rook's rays, 1 the bishop's. */
static inline uint64_t chess_slides(unsigned kind, unsigned square,
                                    uint64_t taken)
{
    return chess_slide(kind, square, taken) |
           chess_slide(kind + 2, square, taken) |
           chess_slide(kind + 4, square, taken) |
           chess_slide(kind + 6, square, taken);
}

static uint64_t chess_reach(unsigned piece, unsigned square, uint64_t taken)
{
    switch (piece) {
    case KNIGHT:
        return chess_knight[square];
    case BISHOP:
        return chess_slides(1, square, taken);
    case ROOK:
        return chess_slides(0, square, taken);
    case QUEEN:
        return chess_slides(0, square, taken) | chess_slides(1, square, taken);
    default:
        return chess_king[square];
    }
}

static bool chess_attacked(const struct chess_board *b, unsigned square,
                           unsigned by)
{
    const uint64_t *p = b->piece[by];
    uint64_t taken = b->all[0] | b->all[1];

    return (chess_knight[square] & p[KNIGHT]) ||
           (chess_king[square] & p[KING]) ||
           (chess_pawn[by ^ 1][square] & p[PAWN]) ||
           (chess_slides(0, square, taken) & (p[ROOK] | p[QUEEN])) ||
           (chess_slides(1, square, taken) & (p[BISHOP] | p[QUEEN]));
}

/* ---- Moves --------------------------------------------------------------- */

static struct chess_move *chess_add(struct chess_move *m, unsigned from,
                                    uint64_t targets, unsigned piece)
{
    for (; targets; targets &= targets - 1)
        *m++ = (struct chess_move){(uint8_t)from, (uint8_t)chess_first(targets),
                                   (uint8_t)piece, (uint8_t)piece};
    return m;
}

static struct chess_move *chess_add_pawn(const struct chess_board *b,
                                         struct chess_move *m, unsigned from)
{
    unsigned side = b->side;
    uint64_t taken = b->all[0] | b->all[1], targets;
    unsigned ahead = side ? from - 8 : from + 8;

    targets = b->all[side ^ 1];
    if (b->passant != CHESS_NO_SQUARE)
        targets |= chess_bit(b->passant);
    targets &= chess_pawn[side][from];
    if (!(taken & chess_bit(ahead))) {
        unsigned twice = side ? from - 16 : from + 16;

        targets |= chess_bit(ahead);
        if (from / 8 == (side ? 6 : 1) && !(taken & chess_bit(twice)))
            targets |= chess_bit(twice);
    }
    for (; targets; targets &= targets - 1) {
        unsigned to = chess_first(targets);

        if (to >= 8 && to < 56) {
            m = chess_add(m, from, chess_bit(to), PAWN);
            continue;
        }
        for (unsigned piece = KNIGHT; piece <= QUEEN; piece++)
            *m++ = (struct chess_move){(uint8_t)from, (uint8_t)to, PAWN,
                                       (uint8_t)piece};
    }
    return m;
}

/* The king stays out of check before, on the way and after; that the last
 * square is safe is seen by the general test of a move. */
static struct chess_move *chess_add_castling(const struct chess_board *b,
                                             struct chess_move *m)
{
    uint64_t taken = b->all[0] | b->all[1];
    unsigned rank = b->side ? 56 : 0, king = rank + 4, enemy = b->side ^ 1;
    uint64_t rights =
        b->castling & (b->side ? CHESS_A8 | CHESS_H8 : CHESS_A1 | CHESS_H1);

    if (!rights || chess_attacked(b, king, enemy))
        return m;
    if ((rights & (CHESS_H1 | CHESS_H8)) && !(taken & (0x60ull << rank)) &&
        !chess_attacked(b, king + 1, enemy))
        m = chess_add(m, king, chess_bit(king + 2), KING);
    if ((rights & (CHESS_A1 | CHESS_A8)) && !(taken & (0x0eull << rank)) &&
        !chess_attacked(b, king - 1, enemy))
        m = chess_add(m, king, chess_bit(king - 2), KING);
    return m;
}

/* All moves but for the test whether they leave the king in check. */
static unsigned chess_generate(const struct chess_board *b,
                               struct chess_move *moves)
{
    struct chess_move *m = moves;
    uint64_t taken = b->all[0] | b->all[1];

    for (uint64_t set = b->piece[b->side][PAWN]; set; set &= set - 1)
        m = chess_add_pawn(b, m, chess_first(set));
    for (unsigned piece = KNIGHT; piece <= KING; piece++) {
        for (uint64_t set = b->piece[b->side][piece]; set; set &= set - 1) {
            unsigned from = chess_first(set);
            uint64_t to = chess_reach(piece, from, taken);

            m = chess_add(m, from, to & ~b->all[b->side], piece);
        }
    }
    m = chess_add_castling(b, m);
    return (unsigned)(m - moves);
}

static void chess_toggle(struct chess_board *b, unsigned side, unsigned piece,
                         uint64_t squares)
{
    b->piece[side][piece] ^= squares;
    b->all[side] ^= squares;
}

static void chess_make(struct chess_board *b, struct chess_move m)
{
    unsigned side = b->side, enemy = side ^ 1;
    uint64_t from = chess_bit(m.from), to = chess_bit(m.to);

    if (b->all[enemy] & to) {
        for (unsigned piece = PAWN; piece < CHESS_PIECES; piece++)
            b->piece[enemy][piece] &= ~to;
        b->all[enemy] &= ~to;
    } else if (m.piece == PAWN && m.to == b->passant) {
        chess_toggle(b, enemy, PAWN, side ? to << 8 : to >> 8);
    }
    chess_toggle(b, side, m.piece, from);
    chess_toggle(b, side, m.becomes, to);
    b->passant = CHESS_NO_SQUARE;
    b->castling &= ~(from | to);
    if (m.piece == PAWN && (m.from ^ m.to) == 16)
        b->passant = (uint8_t)((m.from + m.to) / 2);
    if (m.piece == KING) {
        b->castling &= ~(side ? CHESS_A8 | CHESS_H8 : CHESS_A1 | CHESS_H1);
        if (m.to == m.from + 2)
            chess_toggle(b, side, ROOK, to << 1 | to >> 1);
        else if (m.to + 2 == m.from)
            chess_toggle(b, side, ROOK, to >> 2 | to << 1);
    }
    b->side = (uint8_t)enemy;
}

/* Positions after `depth` legal moves of both sides together. */
static uint64_t chess_perft(const struct chess_board *b, unsigned depth)
{
    struct chess_move moves[CHESS_MOVES_MAX];
    unsigned n = chess_generate(b, moves);
    uint64_t nodes = 0;

    for (unsigned i = 0; i < n; i++) {
        struct chess_board next = *b;

        chess_make(&next, moves[i]);
        if (chess_attacked(&next, chess_first(next.piece[b->side][KING]),
                           next.side))
            continue;
        nodes += depth > 1 ? chess_perft(&next, depth - 1) : 1;
    }
    return nodes;
}

/* ---- The benchmark ------------------------------------------------------- */

/* The first four fields of Forsyth-Edwards notation. */
static void chess_parse(struct chess_board *b, const char *fen)
{
    static const char names[] = "PNBRQKpnbrqk";
    unsigned file = 0, rank = 7;

    *b = (struct chess_board){.passant = CHESS_NO_SQUARE};
    for (; *fen != ' '; fen++) {
        if (*fen == '/') {
            rank--;
            file = 0;
        } else if (*fen >= '1' && *fen <= '8') {
            file += (unsigned)(*fen - '0');
        } else {
            for (unsigned i = 0; i < 12; i++)
                if (names[i] == *fen)
                    chess_toggle(b, i / 6, i % 6, chess_bit(8 * rank + file));
            file++;
        }
    }
    b->side = *++fen == 'b';
    for (fen += 2; *fen != ' '; fen++)
        b->castling |= *fen == 'K'   ? CHESS_H1
                       : *fen == 'Q' ? CHESS_A1
                       : *fen == 'k' ? CHESS_H8
                       : *fen == 'q' ? CHESS_A8
                                     : 0;
    if (*++fen != '-')
        b->passant = (uint8_t)(fen[0] - 'a' + 8 * (fen[1] - '1'));
}

static const char *chess_init(void)
{
    chess_make_tables();
    for (unsigned i = 0; i < CHESS_POSITIONS; i++)
        chess_parse(&chess_boards[i], chess_positions[i].fen);
    return NULL;
}

static void chess_kernel(uint64_t n)
{
    while (n--) {
        for (unsigned i = 0; i < CHESS_POSITIONS; i++)
            chess_counts[i] =
                chess_perft(&chess_boards[i], chess_positions[i].depth);
        __asm__ volatile("" ::: "memory");
    }
}

/* Of the counts one move deeper than an operation's. */
static uint64_t chess_checksum(void)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < CHESS_POSITIONS; i++)
        sum = mix64(
            sum, chess_perft(&chess_boards[i], chess_positions[i].check_depth));
    return sum;
}

static const char *chess_verify(void)
{
    for (unsigned i = 0; i < CHESS_POSITIONS; i++)
        if (chess_counts[i] != chess_positions[i].nodes)
            return "a count differs from the published one";
    return NULL;
}

DEFINE_BENCHMARK(chess, "chess", "compute", "9080 positions counted",
                 "Chess move generation on bitboards (perft)", TM_BENCH_NATIVE,
                 .init = chess_init, .kernel = chess_kernel,
                 .checksum = chess_checksum, .verify = chess_verify);
