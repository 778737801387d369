"""What the window and the command line share: which model to use, reading images, one question asked and answered."""
