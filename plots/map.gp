# Which policy is the cheapest: a grid of cells a panel, its colour the winner's.
#
#   panels.tsv   map top column nx ny title     top: rows of cells above it
#   cells.tsv    panel x y key clear(0|1) text
#   tics.tsv     panel axis(0|1) at text
#   borders.tsv  panel x y dx dy                where the winner changes
#   keys.tsv     policy label shade
#   notes.tsv    text

load dir.'/style.gp'
policy_colour(p) = \
    p eq 'vtlb'   ? 0xe69f00 : p eq 'trace'  ? 0x0072b2 : \
    p eq 'unsync' ? 0x009e73 : p eq 'nested' ? 0xcc79a7 : \
    p eq 'shadow' ? 0x56b4e9 : 0x999999
cell_height = 46.
panel_gap = 100.
body_top = title_height + key_height + 6
panels = 0
maps = 0
stats data.'.panels.tsv' using (panels = panels + 1, maps = max(maps, $1 + 1), 0) nooutput
page_height = body_top + rows * cell_height + maps * panel_gap + notes_height
key_rgb(i) = shaded(policy_colour(key_name[i]), key_shade[i])
key_fill(i) = 3
load dir.'/page.gp'

array panel_map[panels]
array panel_top[panels]
array panel_column[panels]
array panel_nx[panels]
array panel_ny[panels]
array panel_title[panels]
stats data.'.panels.tsv' using \
    (panel_map[int($0) + 1] = $1, panel_top[int($0) + 1] = $2, \
     panel_column[int($0) + 1] = $3, panel_nx[int($0) + 1] = $4, \
     panel_ny[int($0) + 1] = $5, panel_title[int($0) + 1] = strcol(6), 0) \
    nooutput

cells = data.'.cells.tsv'
tics = data.'.tics.tsv'
borders = data.'.borders.tsv'
some_border = 0
stats borders using (some_border = some_border + 1, 0) nooutput
width = page_width / columns
unset grid
set border 0
set tics scale 0
unset xtics
unset ytics
pale(c) = shaded(c, 0.6)

do for [p = 1:panels] {
    top = body_top + panel_top[p] * cell_height + panel_map[p] * panel_gap + 34
    left = panel_column[p] * width + 76
    set tmargin at screen page(top)
    set bmargin at screen page(top + panel_ny[p] * cell_height)
    set lmargin at screen left / page_width
    set rmargin at screen ((panel_column[p] + 1) * width - 24) / page_width
    set xrange [-0.5 : panel_nx[p] - 0.5]
    set yrange [-0.5 : panel_ny[p] - 0.5]
    if (p > 1) { unset object; unset label }
    set label 1000 panel_title[p] at graph 0.5, screen page(top - 14) center \
        font 'sans-serif,14'
    set label 1001 'page-table updates' at graph 0.5, \
        screen page(top + panel_ny[p] * cell_height + 38) center
    set label 1002 'switches' at screen (left - 56) / page_width, graph 0.5 \
        center rotate by 90
    here(k, clear) = int(column(1)) == p - 1 && int(column(4)) == k && \
        int(column(5)) == clear
    plot for [i = 1:keys] cells using (here(i - 1, 1) ? $2 : NaN):3: \
            ($2 - 0.49):($2 + 0.49):($3 - 0.48):($3 + 0.48) with boxxyerror \
            fs solid 1 noborder lc rgb key_rgb(i), \
        for [i = 1:keys] cells using (here(i - 1, 0) ? $2 : NaN):3: \
            ($2 - 0.49):($2 + 0.49):($3 - 0.48):($3 + 0.48) with boxxyerror \
            fs solid 1 noborder lc rgb pale(key_rgb(i)), \
        for [k = 1:some_border > 0] borders using \
            (int($1) == p - 1 ? $2 : NaN):3:4:5 with vectors nohead \
            lc rgb '#202020' lw 1.5, \
        cells using (int($1) == p - 1 && $5 == 0 ? $2 : NaN):3:6 \
            with labels center font 'sans-serif,11', \
        cells using (int($1) == p - 1 && $5 == 1 ? $2 : NaN):3:6 \
            with labels center tc rgb 'white', \
        tics using (int($1) == p - 1 && $2 == 0 ? $3 : NaN):(-0.5):4 \
            with labels center offset 0,-0.8, \
        tics using (int($1) == p - 1 && $2 == 1 ? -0.5 : NaN):3:4 \
            with labels right offset -0.8,0
}
unset multiplot
