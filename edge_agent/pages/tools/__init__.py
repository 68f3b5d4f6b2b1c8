"""Pages for those who look after the plant's data: tags, connections, how digital the plant is."""
