"""The correction desk: a queue of pages, the page's image beside its text, and every change to accept or reject."""
