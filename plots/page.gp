# Opens the page: terminal of the right height, title, legend and notes.
# The caller sets page_height and the functions key_rgb(i) and key_fill(i).
# page(y) turns pixels from the top into screen coordinates.
page(y) = 1. - y / page_height
set terminal svg size page_width,page_height fixed noenhanced \
    font 'sans-serif,13' background rgb 'white'
set output svg
set multiplot
set label 1 title at screen 0.5,page(20) center font 'sans-serif,17'
do for [i = 1:notes] {
    set label 100 + i note[i] left font 'sans-serif,12' tc rgb '#404040' \
        at screen 0.008,page(page_height - notes_height + i * note_height - 4)
}
unset key
key_left(i) = (page_width - key_columns * key_width) / 2 + \
    ((i - 1) % key_columns) * key_width
key_top(i) = title_height + 6 + 19. * ((i - 1) / key_columns)
do for [i = 1:keys] {
    set object i rectangle \
        from screen key_left(i) / page_width,page(key_top(i) + 13) \
        to screen (key_left(i) + 26) / page_width,page(key_top(i) + 2) \
        fc rgb key_rgb(i) fs pattern key_fill(i) border rgb key_rgb(i)
    set label 200 + i key_label[i] left \
        at screen (key_left(i) + 32) / page_width,page(key_top(i) + 8)
}
