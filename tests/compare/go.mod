module compare

go 1.17
