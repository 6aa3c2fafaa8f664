# One image for web and worker; compose.yaml starts both. tests/ and its emulator are not in it (.dockerignore).
FROM python:3.13-slim

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1
WORKDIR /portal
RUN useradd --system --create-home portal
COPY requirements.txt .
RUN pip install --require-hashes --requirement requirements.txt
COPY . .
# No setting matters to collected files; these stand-ins exist in this one command only.
RUN SECRET_KEY=$(python -c 'import secrets; print(secrets.token_urlsafe(50))') \
    PBPORTAL_FIELD_KEYS=$(python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())') \
    PORTAL_ORIGIN=https://portal.invalid DATABASE_URL=postgres://nobody@nowhere/nothing \
    python manage.py collectstatic --noinput
USER portal
EXPOSE 8000
CMD ["gunicorn", "pbportal.wsgi", "--bind", "0.0.0.0:8000", "--workers", "2", "--threads", "4", "--no-control-socket"]
