"""This project and its peers on the same work: what each needs in time, processor and memory."""
