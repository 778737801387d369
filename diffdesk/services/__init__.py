"""What the window and the command line share: which model to use, reading images, reviews of pages, rows, measures."""
