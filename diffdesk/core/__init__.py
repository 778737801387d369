"""What DiffDesk is about, free of Qt, torch, files and processes: numpy and the standard library only."""
