# Horizontal stacked bars in panels, one bar a benchmark and backend.
#
#   panels.tsv  top rows largest      top and rows in bar heights
#   bars.tsv    panel y key from to
#   labels.tsv  panel y benchmark backend end text    end: where the bar ends
#   keys.tsv    event label -
#   notes.tsv   text

load dir.'/style.gp'
row_height = 16.
panel_gap = 72.
body_top = title_height + key_height + 6
panels = columns
page_height = body_top + rows * row_height + panels * panel_gap + notes_height
key_rgb(i) = kind_colour(key_name[i])
key_fill(i) = kind_pattern(key_name[i])
load dir.'/page.gp'

bars = data.'.bars.tsv'
labels = data.'.labels.tsv'
array panel_top[panels]
array panel_rows[panels]
array panel_max[panels]
stats data.'.panels.tsv' using \
    (panel_top[int($0) + 1] = $1, panel_rows[int($0) + 1] = $2, \
     panel_max[int($0) + 1] = $3, 0) nooutput

name_length = 0
series_length = 0
text_length = 0
stats labels using (name_length = max(name_length, strlen(strcol(3))), \
    series_length = max(series_length, strlen(strcol(4))), \
    text_length = max(text_length, strlen(strcol(6))), 0) nooutput
series_width = 14. + 6.6 * series_length
label_width = 14. + 7.6 * name_length + series_width
set lmargin at screen label_width / page_width
set rmargin at screen (page_width - max(90., 20. + 6.2 * text_length)) / page_width

amount(v) = v < 10000 ? sprintf('%g', v) : v < 1e6 ? sprintf('%gk', v / 1e3) : \
    v < 1e9 ? sprintf('%gM', v / 1e6) : sprintf('%gG', v / 1e9)

do for [p = 1:panels] {
    top = body_top + panel_top[p] * row_height + (p - 1) * panel_gap + 12
    set tmargin at screen page(top)
    set bmargin at screen page(top + panel_rows[p] * row_height)
    set xrange [0 : panel_max[p]]
    set yrange [panel_rows[p] : 0]
    set xlabel xlabel offset 0,0.4
    step = 10 ** floor(log10(panel_max[p] / 4))
    step = step * (panel_max[p] / step > 25 ? 5 : panel_max[p] / step > 10 ? 2 : 1)
    set xtics ()
    do for [k = 0:int(panel_max[p] / step * 1.0001)] {
        set xtics add (amount(k * step) k * step)
    }
    if (p > 1) { unset object; unset label }
    plot for [i = 1:keys] bars using \
            (int($1) == p - 1 && int($3) == i - 1 ? $4 : NaN):2:4:5: \
            ($2 - 0.42):($2 + 0.42) with boxxyerror \
            fs pattern key_fill(i) lc rgb key_rgb(i), \
        labels using (int($1) == p - 1 ? $5 : NaN):2:6 with labels left \
            offset char 0.6,0 font 'sans-serif,11', \
        labels using (int($1) == p - 1 ? 0 : NaN):2:4 with labels right \
            offset char -0.6,0 font 'sans-serif,11' tc rgb '#404040', \
        labels using (int($1) == p - 1 ? 0 : NaN):2:3 with labels right \
            offset screen -series_width / page_width,0
}
unset multiplot
