"""The reference server: a conforming implementation of the page, in small steps that can be replaced."""
